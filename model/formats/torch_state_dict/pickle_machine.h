// For pickle.cc: the stack machine that a pickle is a program for (Lib/pickletools.py of CPython).
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/base/status_macros.h"
#include "model/formats/torch_state_dict/pickle.h"

namespace sigserve {

inline constexpr size_t kMaxPickleStack = 1'000'000;

/// Reads the opcodes of one pickle; for one use. Opcodes are decoded in pickle.cc, what they do to
/// the stack and the memo is in pickle_machine.cc. Borrows `bytes`. `legacy`: as ReadPickle().
class PickleMachine {
 public:
  PickleMachine(absl::string_view bytes, bool legacy)
      : bytes_(bytes), rest_(bytes), legacy_(legacy) {}

  absl::StatusOr<Pickle> Run();

 private:
  absl::Status Step(unsigned char opcode);
  absl::Status StepBuild(unsigned char opcode);

  // Reading arguments.
  absl::StatusOr<absl::string_view> Take(uint64_t count);
  template <typename T>
  absl::StatusOr<T> TakeNumber();
  absl::StatusOr<absl::string_view> TakeText(uint64_t length);
  absl::StatusOr<absl::string_view> TakeLine();

  // The stack. Nothing reaches below the last mark.
  absl::Status Push(PickleId id);
  absl::Status PushNew(PickleValue value);
  absl::StatusOr<PickleId> Pop();
  absl::StatusOr<std::vector<PickleId>> PopToMark();
  absl::StatusOr<PickleId> Top() const;
  size_t Floor() const { return marks_.empty() ? 0 : marks_.back(); }

  // Opcodes.
  absl::Status PushNumber(PickleValue::Kind kind, int64_t number);
  absl::Status PushText(absl::StatusOr<absl::string_view> text);
  absl::Status PushLong(uint64_t length);
  absl::Status PushTuple(size_t count);
  absl::Status Memoize(uint64_t id);
  absl::Status Recall(uint64_t id);
  absl::Status Append(const std::vector<PickleId>& items);
  absl::Status SetItems(const std::vector<PickleId>& items);
  absl::Status PushGlobal();
  absl::Status PushPersistent();
  absl::Status Reduce();
  absl::Status BuildOrderedDict(const PickleValue& arguments);
  absl::Status Build();

  PickleValue& value(PickleId id) { return pickle_.values[id]; }
  /// The whole non-negative number of a value, or -1.
  int64_t Count(PickleId id) const {
    const PickleValue& v = pickle_.values[id];
    return v.kind == PickleValue::Kind::kInt ? v.number : -1;
  }
  bool IsText(PickleId id, absl::string_view text) const {
    const PickleValue& v = pickle_.values[id];
    return v.kind == PickleValue::Kind::kString && v.text == text;
  }

  const absl::string_view bytes_;
  absl::string_view rest_;
  const bool legacy_;
  Pickle pickle_;
  std::vector<PickleId> stack_;
  std::vector<size_t> marks_;
  absl::flat_hash_map<uint32_t, PickleId> memo_;
  bool seen_global_ = false;
};

template <typename T>
absl::StatusOr<T> PickleMachine::TakeNumber() {
  SIGSERVE_ASSIGN_OR_RETURN(const absl::string_view bytes, Take(sizeof(T)));
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

}  // namespace sigserve
