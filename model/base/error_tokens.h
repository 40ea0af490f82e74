// The stable tokens that error messages of models and training jobs start with: "ONNX_DTYPE: ...".
// Scripts and operators can rely on them; the text after the token may change. Every token is in
// ErrorTokens(); tests/error_tokens_test.py keeps sources, tests and documentation in line with it.
// Pure functions; thread-safe.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sigserve {

struct ErrorToken {
  absl::string_view token;
  /// One sentence: what is wrong, and what to do where that does not follow from it.
  absl::string_view meaning;
};

/// Sorted by token.
absl::Span<const ErrorToken> ErrorTokens();

/// The token a message starts with ("TOKEN: text"); empty if it starts with none of the list.
absl::string_view TokenOf(absl::string_view message);

/// INVALID_ARGUMENT "<token>: <text>": the input breaks its format.
absl::Status Malformed(absl::string_view token, absl::string_view text);
/// UNIMPLEMENTED "<token>: <text>": the input is valid, and this server does not support it.
absl::Status Unsupported(absl::string_view token, absl::string_view text);

/// "TOKEN: text" becomes "TOKEN: <subject>: text", a message without token "<subject>: text".
/// OK stays OK.
absl::Status WithSubject(const absl::Status& status, absl::string_view subject);
/// The same message with `token` in place of the one it starts with.
absl::Status WithToken(const absl::Status& status, absl::string_view token);

}  // namespace sigserve
