// The options that say which columns of a CSV are read, the same for predict and train.
#pragma once

#include <vector>

#include "client/cli/options.h"
#include "client/cli/table_reader.h"

namespace sigserve::cli {

/// `csv` must outlive the parsing. --label-column is the verb's own.
std::vector<Option> ColumnOptions(CsvOptions* csv);

}  // namespace sigserve::cli
