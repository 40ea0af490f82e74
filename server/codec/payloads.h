// Tensor bytes left where they arrived. Protobuf copies every bytes field that it parses; Payloads
// takes those that hold tensors out of an encoded request first, so that what Protobuf parses is
// small, and the tensors are read from the transport's own memory. In a field that was cut stands
// the number of its payload. Whatever Protobuf makes of repeated or doubly given fields it makes of
// the numbers.
//
// One per request at a time; keeps its memory between requests.
#pragma once

#include <cstddef>
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sigserve {

/// A field on the way to payloads: a bytes field that holds one (`inside` is empty), or a message.
struct PayloadField {
  int number;
  absl::Span<const PayloadField> inside;
};

class Payloads {
 public:
  /// More than this beside the payloads is not worth copying.
  static constexpr size_t kMaxRest = 4096;

  /// Cuts the payloads out of an encoded message; they are views of it. False when it is to be
  /// parsed as it is: there are none, much else is in it, or it is malformed, which Protobuf says
  /// better.
  bool Cut(absl::string_view message, absl::Span<const PayloadField> fields);
  /// What is left to parse.
  absl::string_view rest() const { return rest_; }
  /// The bytes that a parsed bytes field stands for: its payload if the request was cut, else its
  /// own.
  absl::string_view Of(absl::string_view field) const;
  void Clear();

 private:
  bool CutMessage(absl::string_view message, absl::Span<const PayloadField> fields);

  absl::InlinedVector<absl::string_view, 4> payloads_;
  std::string rest_;
};

/// The same where a request may not have been cut at all (null).
inline absl::string_view BytesOf(absl::string_view field, const Payloads* payloads) {
  return payloads == nullptr ? field : payloads->Of(field);
}

}  // namespace sigserve
