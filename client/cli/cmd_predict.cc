// sigctl predict: rows from a file, standard input or --row; prints probabilities.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/column_options.h"
#include "client/cli/input_loader.h"
#include "client/cli/model_choice.h"
#include "client/cli/model_inputs.h"
#include "client/cli/option_values.h"
#include "client/cli/prediction_report.h"
#include "client/cli/verbs.h"
#include "client/status_macros.h"

namespace sigserve::cli {
namespace {

// Limits of one request: far below the server's message limit, large enough to be cheap.
constexpr int64_t kRequestRows = 1024;
constexpr int64_t kRequestBytes = 8 << 20;
// Of a table without --limit; CSV and JSON are for programs and print all rows.
constexpr int64_t kDefaultTableRows = 20;

struct InputFlags {
  std::string path;
  std::vector<std::string> rows;
  InputFormat format = InputFormat::kAuto;
  CsvOptions csv;
};

struct Flags {
  ModelChoice model;
  InputFlags input;
  client::PredictOptions want = {.labels = true};
  std::optional<int64_t> limit;
};

absl::StatusOr<InputData> Load(const InputFlags& flags, std::istream& in) {
  if (!flags.rows.empty()) return ParseRows(flags.rows);
  return LoadInput(flags.path, flags.format, flags.csv, in);
}

int64_t RowsPerRequest(const std::vector<client::Tensor>& tensors, int64_t rows,
                       int64_t max_batch_size) {
  size_t bytes = 0;
  for (const client::Tensor& tensor : tensors) bytes += tensor.data.size();
  const int64_t row_bytes = std::max<int64_t>(1, static_cast<int64_t>(bytes) / rows);
  const int64_t most = max_batch_size > 0 ? std::min(max_batch_size, kRequestRows) : kRequestRows;
  return std::clamp<int64_t>(kRequestBytes / row_bytes, 1, most);
}

/// All requests ask the same version, whatever is published in the meantime.
absl::Status PredictRows(client::Client& client, const client::ModelInfo& model,
                         const std::vector<client::Tensor>& tensors,
                         const client::PredictOptions& want, PredictionReport* report) {
  const client::ModelRef version{.name = model.name, .version = model.version};
  const int64_t rows = SplittableRows(tensors, model);
  const int64_t step = rows == 0 ? 1 : RowsPerRequest(tensors, rows, model.max_batch_size);
  for (int64_t begin = 0; begin < std::max<int64_t>(rows, 1); begin += step) {
    const int64_t end = std::min(begin + step, rows);
    auto answer = rows <= step ? client.Predict(version, tensors, want)
                               : client.Predict(version, SliceRows(tensors, begin, end), want);
    if (!answer.ok()) return answer.status();
    CLIENT_RETURN_IF_ERROR(report->Append(*std::move(answer)));
  }
  return absl::OkStatus();
}

ExitCode Run(Context& context, const Flags& flags) {
  if (flags.input.rows.empty() == flags.input.path.empty()) {
    return context.UsageError("predict: give either --input FILE (- for standard input) or --row");
  }
  const auto ref = flags.model.ToRef();
  if (!ref.ok()) return context.UsageError(ref.status().message());
  auto data = Load(flags.input, context.in());
  if (!data.ok()) return context.UsageError(data.status().message());

  const auto client = context.Connect();
  if (client == nullptr) return ExitCode::kUsage;
  const auto model = client->GetModel(*ref);
  if (!model.ok()) return context.ServerError(model.status());
  const auto tensors = FitToModel(*data, *model);
  if (!tensors.ok()) return context.UsageError(tensors.status().message());

  PredictionReport report;
  const absl::Status predicted = PredictRows(*client, *model, *tensors, flags.want, &report);
  if (!predicted.ok()) return context.ServerError(predicted);
  const absl::Status judged = report.Judge(*data, *model);
  if (!judged.ok()) return context.UsageError(judged.message());

  const OutputStyle style = context.style();
  const bool is_table = style.format == OutputFormat::kTable;
  report.Write(style, flags.limit.value_or(is_table ? kDefaultTableRows : 0), context.out());
  if (is_table) context.out() << report.Summary(style.columns);
  if (style.format == OutputFormat::kCsv) context.err() << report.Summary(0);
  return ExitCode::kOk;
}

std::vector<Option> InputOptions(InputFlags* flags) {
  return {
      {.name = "--input",
       .short_name = "-i",
       .value = "FILE",
       .help = "CSV, JSON or .npy file; - is standard input",
       .set = ToText(&flags->path)},
      {.name = "--row",
       .value = "VALUES",
       .help = "One row, \"0.5,-0.2,3.0\"; may be repeated",
       .set = AddText(&flags->rows),
       .repeatable = true},
      {.name = "--format",
       .value = "FORMAT",
       .help = "csv, json or npy; by default from the file's name or contents",
       .set = ToChoice<InputFormat>(
           &flags->format,
           {{"csv", InputFormat::kCsv}, {"json", InputFormat::kJson}, {"npy", InputFormat::kNpy}})},
      {.name = "--label-column",
       .short_name = "-l",
       .value = "NAME",
       .help = "Column of the true label, by name or by number from 1; not a feature, but printed "
               "and compared with the prediction; for several labels a,b",
       .set = AddTexts(&flags->csv.label_columns),
       .repeatable = true},
  };
}

std::vector<Option> ResultOptions(client::PredictOptions* want, std::optional<int64_t>* limit) {
  return {
      {.name = "--logits",
       .help = "Also the inputs of the final sigmoid",
       .set = ToFlag(&want->logits)},
      {.name = "--log-probabilities",
       .help = "Also log(p), exact where p underflows",
       .set = ToFlag(&want->log_probabilities)},
      {.name = "--decisions",
       .help = "Also p >= the model's threshold",
       .set = ToFlag(&want->decisions)},
      {.name = "--timing",
       .help = "Also the server's time per request",
       .set = ToFlag(&want->timing)},
      {.name = "--limit",
       .value = "N",
       .help = "Rows to print, 0 = all; by default 20 in a table",
       .set = ToInteger(limit, 0)},
  };
}

}  // namespace

Verb PredictVerb() {
  const auto flags = std::make_shared<Flags>();
  Verb verb{
      .name = "predict",
      .summary = "Predict rows and print their probabilities",
      .example =
          "  sigctl predict breast_cancer --input test.csv --label-column label --limit 5\n"
          "  sigctl predict linear_3_2 --row \"0.5,-0.2,3.0\" --logits\n"
          "  cat rows.json | sigctl predict linear_3_2 --input - --output csv\n"
          "\n"
          "JSON is [[...], ...], {\"input\": [[...]]} or {\"inputs\": {name: [[...]]}}; .npy is\n"
          "float32, float64 or int64. True labels are 1 or 0, true or false, yes or no, or\n"
          "the model's label names. With them, accuracy, F1 and ROC-AUC are printed, too;\n"
          "accuracy is the share of right decisions over all rows and labels.",
      .options = ModelChoiceOptions(&flags->model),
      .run = [flags](Context& context) { return Run(context, *flags); }};
  for (const auto& options : {InputOptions(&flags->input), ColumnOptions(&flags->input.csv),
                              ResultOptions(&flags->want, &flags->limit)}) {
    verb.options.insert(verb.options.end(), options.begin(), options.end());
  }
  return verb;
}

}  // namespace sigserve::cli
