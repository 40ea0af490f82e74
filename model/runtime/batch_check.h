// For the sources of this folder: whether rows of a batch are independent, found out by running
// random rows together and each alone.
#pragma once

#include <cstdint>
#include <memory>

#include "model/runtime/executable.h"

namespace sigserve {

/// True when every output has the same bits for a row alone and for that row among others. Requires
/// inputs and outputs whose dimension 0 is the batch; other free sizes are tried at 3 and at 4.
/// False also when the model cannot run such batches. `weights_bytes`, of all constants: the more,
/// the fewer rows are run.
bool RowsAreIndependent(const std::shared_ptr<const Executable>& executable, int64_t weights_bytes);

}  // namespace sigserve
