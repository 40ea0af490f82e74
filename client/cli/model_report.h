// Models and versions as text, for models, metadata and reload.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "client/cli/context.h"
#include "client/types.h"

namespace sigserve::cli {

void WriteModels(const std::vector<client::ModelVersion>& models, const OutputStyle& style,
                 std::ostream& out);
void WriteModel(const client::ModelInfo& model, const OutputStyle& style, std::ostream& out);

/// "READY".
std::string StateText(client::ModelState state);
/// "FLOAT32".
std::string DataTypeText(client::DataType dtype);

}  // namespace sigserve::cli
