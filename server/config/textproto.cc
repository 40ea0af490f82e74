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
#include "model/base/status_macros.h"
#include "model/base/utf8.h"
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

/// Escapes can spell any byte, and Protobuf's text parser takes them. `path`: the message's field,
/// "a.b.".
absl::Status CheckStrings(const google::protobuf::Message& message, absl::string_view file,
                          absl::string_view path) {
  using google::protobuf::FieldDescriptor;
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string name = absl::StrCat(path, field->name());
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        SIGSERVE_RETURN_IF_ERROR(CheckStrings(field->is_repeated()
                                                  ? reflection.GetRepeatedMessage(message, field, i)
                                                  : reflection.GetMessage(message, field),
                                              file, absl::StrCat(name, ".")));
      } else if (field->type() == FieldDescriptor::TYPE_STRING) {
        const std::string text = field->is_repeated()
                                     ? reflection.GetRepeatedString(message, field, i)
                                     : reflection.GetString(message, field);
        if (IsValidUtf8(text)) continue;
        return absl::InvalidArgumentError(
            absl::StrCat(file, ": ", name, ": '", EscapeInvalidUtf8(text), "' is not UTF-8"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ParseTextProto(absl::string_view text, absl::string_view file,
                            google::protobuf::Message* message) {
  if (text.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": has ", text.size(), " bytes"));
  }
  text = WithoutByteOrderMark(text);
  SIGSERVE_RETURN_IF_ERROR(CheckUtf8File(text, file));
  Problems problems(file);
  google::protobuf::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&problems);
  parser.SetRecursionLimit(kMaxNesting);
  if (!parser.Parse(&input, message)) return absl::InvalidArgumentError(problems.Text());
  return CheckStrings(*message, file, "");
}

}  // namespace sigserve
