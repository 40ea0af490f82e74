#include "server/config/textproto.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/config/closest.h"

namespace sigserve {
namespace {

constexpr size_t kMaxProblems = 5;
constexpr int kMaxNesting = 32;

/// Protobuf's text says 'Message type "a.b.C" has no field named "x".' for an unknown field.
std::string Plain(const std::string& message) {
  const std::vector<std::string> parts = absl::StrSplit(message, '"');
  if (parts.size() != 5 || parts[0] != "Message type " || parts[2] != " has no field named ") {
    return message;
  }
  const auto* type =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(parts[1]);
  if (type == nullptr) return message;
  std::vector<std::string> fields;
  fields.reserve(static_cast<size_t>(type->field_count()));
  for (int i = 0; i < type->field_count(); ++i) fields.push_back(type->field(i)->name());
  const std::string closest = Closest(parts[3], fields);
  return absl::StrCat("unknown field '", parts[3], "'",
                      closest.empty() ? absl::StrCat(" of ", type->name(),
                                                     "; it has: ", absl::StrJoin(fields, ", "))
                                      : absl::StrCat("; did you mean '", closest, "'?"));
}

class Problems : public google::protobuf::io::ErrorCollector {
 public:
  explicit Problems(absl::string_view file) : file_(file) {}

  // Line and column count from 0; line -1 = no place.
  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    if (texts_.size() >= kMaxProblems) return;
    texts_.push_back(
        line < 0 ? absl::StrCat(file_, ": ", Plain(message))
                 : absl::StrCat(file_, ":", line + 1, ":", column + 1, ": ", Plain(message)));
  }
  void AddWarning(int /*line*/, google::protobuf::io::ColumnNumber /*column*/,
                  const std::string& /*message*/) override {}

  std::string Text() const {
    return texts_.empty() ? absl::StrCat(file_, ": not a valid text protobuf")
                          : absl::StrJoin(texts_, "; ");
  }

 private:
  const std::string file_;
  std::vector<std::string> texts_;
};

}  // namespace

absl::Status ParseTextProto(absl::string_view text, absl::string_view file,
                            google::protobuf::Message* message) {
  if (text.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": has ", text.size(), " bytes"));
  }
  Problems problems(file);
  google::protobuf::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&problems);
  parser.SetRecursionLimit(kMaxNesting);
  if (!parser.Parse(&input, message)) return absl::InvalidArgumentError(problems.Text());
  return absl::OkStatus();
}

}  // namespace sigserve
