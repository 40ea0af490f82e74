#include "client/cli/column_options.h"

#include "client/cli/option_values.h"

namespace sigserve::cli {

std::vector<Option> ColumnOptions(CsvOptions* csv) {
  return {
      {.name = "--features",
       .value = "NAMES",
       .help = "The CSV's feature columns and their order, a,b,c; by default all that remain",
       .set = AddTexts(&csv->features),
       .repeatable = true},
      {.name = "--drop",
       .value = "NAMES",
       .help = "Columns of the CSV to leave out, for instance an id",
       .set = AddTexts(&csv->dropped),
       .repeatable = true},
      {.name = "--separator",
       .value = "NAME",
       .help = "comma, semicolon or tab; by default found in the first line",
       .set = ToChoice<char>(&csv->separator, {{"comma", ','}, {"semicolon", ';'}, {"tab", '\t'}})},
      {.name = "--no-header",
       .help = "The CSV's first line is a row",
       .set =
           [csv](const std::string&) {
             csv->header = HeaderMode::kAbsent;
             return absl::OkStatus();
           }},
  };
}

}  // namespace sigserve::cli
