#include "client/cli/cmd_predict.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/input_loader.h"
#include "client/cli/model_choice.h"
#include "client/cli/model_inputs.h"
#include "client/cli/prediction_report.h"
#include "client/cli/verb.h"

namespace sigserve::cli {
namespace {

// One request: small enough for the server's message limit, large enough to be cheap.
constexpr int64_t kRequestRows = 1024;
constexpr int64_t kRequestBytes = 8 << 20;
// Of a table, which is for eyes.
constexpr int64_t kDefaultTableRows = 20;

struct InputFlags {
  std::string path;
  std::vector<std::string> rows;
  InputFormat format = InputFormat::kAuto;
  std::vector<std::string> label_columns;
  bool no_header = false;
};

struct Flags {
  ModelChoice model;
  InputFlags input;
  client::PredictOptions want;
  std::optional<int64_t> limit;
};

absl::StatusOr<InputData> Load(const InputFlags& flags, std::istream& in) {
  if (!flags.rows.empty()) return ParseRows(flags.rows);
  return LoadInput(flags.path, flags.format,
                   {.header = flags.no_header ? HeaderMode::kAbsent : HeaderMode::kAuto,
                    .label_columns = flags.label_columns},
                   in);
}

int64_t RowsPerRequest(const std::vector<client::Tensor>& tensors, int64_t rows,
                       int64_t max_batch_size) {
  size_t bytes = 0;
  for (const client::Tensor& tensor : tensors) bytes += tensor.data.size();
  const int64_t row_bytes = std::max<int64_t>(1, static_cast<int64_t>(bytes) / rows);
  const int64_t most = max_batch_size > 0 ? std::min(max_batch_size, kRequestRows) : kRequestRows;
  return std::clamp<int64_t>(kRequestBytes / row_bytes, 1, most);
}

ExitCode Run(Context& context, const Flags& flags) {
  if (flags.input.rows.empty() == flags.input.path.empty()) {
    return context.UsageError("predict: give either --input FILE (- for standard input) or --row");
  }
  const auto data = Load(flags.input, context.in());
  if (!data.ok()) return context.UsageError(data.status().message());

  const auto client = context.Connect();
  if (client == nullptr) return ExitCode::kUsage;
  const auto model = client->GetModel(flags.model.ToRef());
  if (!model.ok()) return context.ServerError(model.status());
  const auto tensors = FitToModel(*data, *model);
  if (!tensors.ok()) return context.UsageError(tensors.status().message());

  // All requests ask the same version, whatever is published meanwhile.
  const client::ModelRef version{.name = model->name, .version = model->version};
  PredictionReport report;
  const int64_t rows = SplittableRows(*tensors, *model);
  const int64_t step = rows == 0 ? 1 : RowsPerRequest(*tensors, rows, model->max_batch_size);
  for (int64_t begin = 0; begin < std::max<int64_t>(rows, 1); begin += step) {
    auto answer =
        rows <= step
            ? client->Predict(version, *tensors, flags.want)
            : client->Predict(version, SliceRows(*tensors, begin, std::min(begin + step, rows)),
                              flags.want);
    if (!answer.ok()) return context.ServerError(answer.status());
    const absl::Status appended = report.Append(*std::move(answer));
    if (!appended.ok()) return context.ServerError(appended);
  }
  report.Judge(*data, *model);

  const OutputFormat format = context.options.output;
  report.Write(format, flags.limit.value_or(format == OutputFormat::kTable ? kDefaultTableRows : 0),
               context.out());
  if (format == OutputFormat::kTable) context.out() << report.Summary();
  if (format == OutputFormat::kCsv) context.err() << report.Summary();
  return ExitCode::kOk;
}

}  // namespace

void AddPredictCommand(CLI::App* app, Context* context) {
  CLI::App* verb = AddVerb(
      app, "predict", "Predict rows and print their probabilities",
      "  sigctl predict breast_cancer --input test.csv --label-column label --limit 5\n"
      "  sigctl predict linear_3_2 --row \"0.5,-0.2,3.0\" --logits\n"
      "  cat rows.json | sigctl predict linear_3_2 --input - --output csv\n"
      "\n"
      "JSON is [[...], ...], {\"input\": [[...]]} or {\"inputs\": {name: [[...]]}}; .npy is\n"
      "float32, float64 or int64. With --label-column the accuracy is printed, too.");
  const auto flags = std::make_shared<Flags>();
  AddModelChoice(verb, &flags->model);
  verb->add_option("--input,-i", flags->input.path, "CSV, JSON or .npy file; - is standard input");
  verb->add_option("--row", flags->input.rows, "One row, \"0.5,-0.2,3.0\"; may be repeated")
      ->type_name("VALUES")
      ->allow_extra_args(false);
  const std::map<std::string, InputFormat> formats = {
      {"csv", InputFormat::kCsv}, {"json", InputFormat::kJson}, {"npy", InputFormat::kNpy}};
  verb->add_option("--format", flags->input.format,
                   "csv, json or npy; by default from the file's name or contents")
      ->transform(CLI::CheckedTransformer(formats).description(""))
      ->type_name("FORMAT");
  verb->add_flag("--no-header", flags->input.no_header, "The CSV's first line is a row");
  verb->add_option("--label-column", flags->input.label_columns,
                   "Column of the true label (name, or number from 1): no feature, but printed\n"
                   "beside the prediction; several for several labels: a,b")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAME");
  verb->add_flag("--logits", flags->want.logits, "Also the inputs of the final sigmoid");
  verb->add_flag("--log-probabilities", flags->want.log_probabilities, "Also log(p), exact");
  verb->add_flag("--decisions", flags->want.decisions, "Also p >= the model's threshold");
  verb->add_flag("--timing", flags->want.timing, "Also the server's time per request");
  verb->add_option("--limit", flags->limit, "Rows to print, 0 = all; by default 20 in a table")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  OnChosen(verb, context, [flags](Context& c) { return Run(c, *flags); });
}

}  // namespace sigserve::cli
