// Caches parsed requests. A client mostly repeats one request with other tensor bytes. A message
// that equals an earlier one outside its payloads, lengths included, has its payloads at the same
// offsets, and its other fields are parsed already. Without the cache, finding the payloads and
// parsing the rest is most of the cost of a one-row request. Set-associative; evicts by CLOCK
// (Corbato, A Paging Experiment with the Multics System, 1968).
//
// For one I/O thread. The messages are immutable and may be kept and released on any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/codec/payloads.h"

namespace sigserve {

/// M: a type of Protobuf message.
template <typename M>
class ParseCache {
 public:
  /// A message's size selects its set; a set holds kEntries messages.
  static constexpr size_t kSets = 64;
  static constexpr size_t kEntries = 4;
  /// Messages with more bytes outside their payloads are not cached.
  static constexpr size_t kMaxBytes = 512;

  /// `fields`: where an M's payloads are.
  explicit ParseCache(absl::Span<const PayloadField> fields) : fields_(fields), sets_(kSets) {}

  /// Cuts the payloads out of an encoded M. On a hit, returns the rest of the message, parsed. Null
  /// on a miss: the caller then parses `payloads->rest()`, or the whole message if nothing was cut.
  /// The first message of a kind is noted but not parsed here, so requests that all differ cost
  /// little more than without the cache.
  std::shared_ptr<const M> Cut(absl::string_view message, Payloads* payloads) {
    Set& set = sets_[SetOf(message.size())];
    Entry* const entry = Find(set, message);
    if (entry != nullptr && entry->parsed != nullptr) {
      payloads->Clear();
      for (const Range& range : entry->ranges) {
        payloads->Add(message.substr(range.begin, range.size));
      }
      return entry->parsed;
    }
    if (!payloads->Cut(message, fields_)) return nullptr;
    if (entry != nullptr) {
      entry->parsed = Parse(payloads->rest());
      return entry->parsed;
    }
    Note(message, payloads->payloads(), &set);
    return nullptr;
  }

 private:
  struct Range {
    size_t begin, size;
  };
  struct Entry {
    size_t size = 0;                       // of the message
    std::string rest;                      // its bytes without the payloads
    absl::InlinedVector<Range, 2> ranges;  // the payloads
    std::shared_ptr<const M> parsed;       // from the second time on
    bool hit = false;                      // since the hand last passed
  };
  struct Set {
    std::array<Entry, kEntries> entries;
    size_t hand = 0;
  };

  /// Spreads sizes that differ by the same number (of bytes in a row) evenly: Fibonacci hashing,
  /// Knuth, The Art of Computer Programming, volume 3, 6.4.
  static size_t SetOf(size_t size) {
    return static_cast<size_t>((uint64_t{size} * 0x9E37'79B9'7F4A'7C15) >> 32) % kSets;
  }

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

  static Entry* Find(Set& set, absl::string_view message) {
    for (Entry& entry : set.entries) {
      if (!Matches(entry, message)) continue;
      entry.hit = true;
      return &entry;
    }
    return nullptr;
  }

  /// Evicts by CLOCK: the first entry not hit since the hand last passed.
  static void Note(absl::string_view message, absl::Span<const absl::string_view> payloads,
                   Set* set) {
    size_t bytes = message.size();
    for (const absl::string_view payload : payloads) bytes -= payload.size();
    if (bytes > kMaxBytes) return;
    const auto next = [set] { return std::exchange(set->hand, (set->hand + 1) % kEntries); };
    size_t place = next();
    while (std::exchange(set->entries[place].hit, false)) place = next();
    Entry& entry = set->entries[place];
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

  const absl::Span<const PayloadField> fields_;
  std::vector<Set> sets_;
};

}  // namespace sigserve
