#include "model/formats/architecture/architecture.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/base/utf8.h"
#include "model/formats/architecture/architecture.pb.h"
#include "model/formats/architecture/layers.h"
#include "model/formats/architecture/net_builder.h"

namespace sigserve {
namespace {

constexpr size_t kMaxTextBytes = size_t{16} << 20;
constexpr int kMaxNesting = 32;
constexpr int kMaxInputRank = 6;

/// Keeps the first problem, with its place.
class FirstProblem final : public google::protobuf::io::ErrorCollector {
 public:
  const std::string& text() const { return text_; }

  // Line and column count from 0.
  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    if (text_.empty()) {
      text_ =
          absl::StrCat("line ", line + 1, ", column ", column + 1, ": ", message.substr(0, 200));
    }
  }
  void AddWarning(int /*line*/, google::protobuf::io::ColumnNumber /*column*/,
                  const std::string& /*message*/) override {}

 private:
  std::string text_;
};

absl::Status Parse(absl::string_view text, model::Architecture* architecture) {
  if (text.size() > kMaxTextBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("ARCH_PARSE: the file has ", text.size(), " bytes, at most ", kMaxTextBytes));
  }
  text = WithoutByteOrderMark(text);
  SIGSERVE_RETURN_IF_ERROR(CheckUtf8File(text, "ARCH_PARSE"));
  FirstProblem problem;
  google::protobuf::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&problem);
  parser.SetRecursionLimit(kMaxNesting);
  if (parser.Parse(&input, architecture)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("ARCH_PARSE: ", problem.text().empty() ? "no text protobuf" : problem.text()));
}

absl::StatusOr<DeclaredType> ReadType(const model::Input& input) {
  const auto bad = [](absl::string_view text) {
    return absl::InvalidArgumentError(absl::StrCat("ARCH_INPUT: ", text));
  };
  DeclaredType type;
  if (input.dtype() == "INT64") {
    type.dtype = DType::kInt64;
  } else if (!input.dtype().empty() && input.dtype() != "FLOAT32") {
    return bad(absl::StrCat("dtype ", Printable(input.dtype()), ", expected FLOAT32 or INT64"));
  }
  if (input.shape().empty() || input.shape_size() > kMaxInputRank || input.shape(0) != -1) {
    return bad(absl::StrCat("shape must have 1 to ", kMaxInputRank, " sizes, the first -1"));
  }
  for (const int64_t size : input.shape()) {
    if (size != -1 && (size < 1 || size >= int64_t{1} << 31)) {
      return bad(absl::StrCat("shape has the size ", size, ", expected -1 or 1 to 2^31-1"));
    }
    type.shape.push_back(size);
  }
  return type;
}

absl::StatusOr<std::string> NameOr(const std::string& name, absl::string_view otherwise) {
  if (name.empty()) return std::string(otherwise);
  if (const absl::string_view problem = NameProblem(name); !problem.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("ARCH_INPUT: the name ", Printable(name), " ", problem));
  }
  return name;
}

}  // namespace

absl::StatusOr<Graph> BuildFromArchitecture(absl::string_view textproto, NamedTensors weights) {
  model::Architecture architecture;
  SIGSERVE_RETURN_IF_ERROR(Parse(textproto, &architecture));
  SIGSERVE_ASSIGN_OR_RETURN(DeclaredType type, ReadType(architecture.input()));
  SIGSERVE_ASSIGN_OR_RETURN(const std::string input, NameOr(architecture.input().name(), "x"));
  SIGSERVE_ASSIGN_OR_RETURN(const std::string output, NameOr(architecture.output(), "y"));
  NetBuilder net(std::move(weights));
  net.AddInput(input, std::move(type));
  for (int i = 0; i < architecture.layer_size(); ++i) {
    SIGSERVE_RETURN_IF_ERROR(AddLayer(architecture.layer(i), i, 0, net));
  }
  return net.Finish(output);
}

}  // namespace sigserve
