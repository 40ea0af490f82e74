// Tensor bytes left where they arrived. Protobuf copies every bytes field that it parses; Payloads
// takes those that hold tensors out of an encoded request first, so that what Protobuf parses is
// small, and the tensors are read from the transport's own memory. In a field that was cut stands
// the number of its payload. Whatever Protobuf makes of repeated or doubly given fields it makes of
// the numbers.
//
// One per request at a time; keeps its memory between requests.
#pragma once

#include <cstddef>
#include <cstdint>
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
  /// In the order of the message, whose views they are. None is empty.
  absl::Span<const absl::string_view> payloads() const { return payloads_; }
  void Add(absl::string_view payload) { payloads_.push_back(payload); }
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

/// A message around another, with a number beside it, as a stream's: taken apart by hand, for every
/// number is another. The fields' numbers are below 16.
struct Envelope {
  int number_field;
  int message_field;
  /// The number (0 where it is missing) and the bytes of the message within, a view. False, to be
  /// parsed by Protobuf, when there is anything else in it, no message, or two.
  bool Open(absl::string_view envelope, uint64_t* number, absl::string_view* message) const;
};

}  // namespace sigserve
