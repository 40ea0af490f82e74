// Parsed requests for further use. A caller mostly sends the same request again and again but for
// its tensors' bytes. A message that equals an earlier one everywhere else, lengths included, has
// its payloads in the same places, and what is left of it is parsed already. Finding and parsing
// them costs more than all else that is done for a one-row request.
//
// For one I/O thread. The messages are never changed, and may be kept and released on any thread.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/codec/payloads.h"

namespace sigserve {

/// M: a type of Protobuf message.
template <typename M>
class ParseCache {
 public:
  /// So many different requests at a time, with so many bytes beside their payloads.
  static constexpr size_t kEntries = 8;
  static constexpr size_t kMaxBytes = 512;

  /// Cuts the payloads (in `fields`) out of an encoded M. Gives what is left of it, parsed, if its
  /// like was seen lately. Null otherwise: what is to be parsed then is `payloads->rest()`, or the
  /// message as it is where nothing was cut. Only what comes again is kept, so requests that differ
  /// cost no more than a look.
  std::shared_ptr<const M> Cut(absl::string_view message, absl::Span<const PayloadField> fields,
                               Payloads* payloads) {
    Entry* const entry = Find(message);
    if (entry != nullptr && entry->parsed != nullptr) {
      payloads->Clear();
      for (const Range& range : entry->ranges) {
        payloads->Add(message.substr(range.begin, range.size));
      }
      return entry->parsed;
    }
    if (!payloads->Cut(message, fields)) return nullptr;
    if (entry != nullptr) {
      entry->parsed = Parse(payloads->rest());
      return entry->parsed;
    }
    Remember(message, payloads->payloads());
    return nullptr;
  }

 private:
  struct Range {
    size_t begin, size;
  };
  struct Entry {
    size_t size = 0;                       // of the message
    std::string rest;                      // its bytes without the payloads
    absl::InlinedVector<Range, 4> ranges;  // the payloads
    std::shared_ptr<const M> parsed;       // from the second time on
    bool wanted = false;                   // since the hand came by
  };

  static bool Matches(const Entry& entry, absl::string_view message) {
    if (entry.size != message.size()) return false;
    const absl::string_view rest = entry.rest;
    size_t at = 0;
    size_t rest_at = 0;
    for (const Range& range : entry.ranges) {
      const size_t length = range.begin - at;
      if (message.substr(at, length) != rest.substr(rest_at, length)) return false;
      at = range.begin + range.size;
      rest_at += length;
    }
    return message.substr(at) == rest.substr(rest_at);
  }

  Entry* Find(absl::string_view message) {
    for (Entry& entry : entries_) {
      if (!Matches(entry, message)) continue;
      entry.wanted = true;
      return &entry;
    }
    return nullptr;
  }

  /// In the place of the first that nobody wanted since the hand came by.
  void Remember(absl::string_view message, absl::Span<const absl::string_view> payloads) {
    size_t bytes = message.size();
    for (const absl::string_view payload : payloads) bytes -= payload.size();
    if (bytes > kMaxBytes) return;
    while (std::exchange(entries_[hand_].wanted, false)) hand_ = (hand_ + 1) % kEntries;
    Entry& entry = entries_[hand_];
    hand_ = (hand_ + 1) % kEntries;
    entry.size = message.size();
    entry.rest.clear();
    entry.ranges.clear();
    entry.parsed = nullptr;
    size_t at = 0;
    for (const absl::string_view payload : payloads) {
      const auto begin = static_cast<size_t>(payload.data() - message.data());
      entry.rest.append(message.data() + at, begin - at);
      entry.ranges.push_back({begin, payload.size()});
      at = begin + payload.size();
    }
    entry.rest.append(message.data() + at, message.size() - at);
  }

  static std::shared_ptr<const M> Parse(absl::string_view rest) {
    auto message = std::make_shared<M>();
    if (!message->ParseFromArray(rest.data(), static_cast<int>(rest.size()))) return nullptr;
    return message;
  }

  std::array<Entry, kEntries> entries_;
  size_t hand_ = 0;
};

}  // namespace sigserve
