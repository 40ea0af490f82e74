// Leaves tensor bytes where they arrived. Protobuf copies every bytes field that it parses;
// Payloads first cuts the fields that hold tensors out of an encoded request, so that Protobuf
// parses little and the tensors are read from the transport's memory. A cut field holds the index
// of its payload. Repeated and duplicate fields keep Protobuf's merge semantics.
//
// Serves one request at a time; keeps its memory between requests.
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
  /// A request with more bytes outside its payloads is not cut: copying them costs too much.
  static constexpr size_t kMaxRest = 4096;

  /// Cuts the payloads out of an encoded message; they are views of it. False if the caller is to
  /// parse the whole message: it has no payloads, has too many other bytes, or is malformed, which
  /// Protobuf then reports.
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

/// A message that holds a number and another message, as those of streams do. Parsed by hand: its
/// number differs in every message, so ParseCache cannot help. Field numbers are below 16.
struct Envelope {
  int number_field;
  int message_field;
  /// The number (0 if missing) and a view of the inner message's bytes. False, for Protobuf to
  /// parse, if there are other fields, no inner message, or two.
  bool Open(absl::string_view envelope, uint64_t* number, absl::string_view* message) const;
};

}  // namespace sigserve
