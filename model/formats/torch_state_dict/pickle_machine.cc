#include "model/formats/torch_state_dict/pickle_machine.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/error_tokens.h"
#include "model/formats/torch_state_dict/pickle_globals.h"

namespace sigserve {
namespace {

using Kind = PickleValue::Kind;

constexpr size_t kMaxValues = 250'000;
constexpr uint32_t kMaxMemo = 1'000'000;
constexpr size_t kMaxGlobalBytes = 512;
constexpr size_t kMaxLocationBytes = 64;
constexpr size_t kMaxKeyBytes = 20;

}  // namespace

absl::StatusOr<absl::string_view> PickleMachine::Take(uint64_t count) {
  if (count > rest_.size()) return Malformed("PT_TRUNCATED", "the pickle ends within an opcode");
  const absl::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

absl::StatusOr<absl::string_view> PickleMachine::TakeText(uint64_t length) {
  if (length > rest_.size()) {
    return Malformed("PT_LENGTH", absl::StrCat("a text of ", length, " bytes, ", rest_.size(),
                                               " are left in the file"));
  }
  return Take(length);
}

absl::StatusOr<absl::string_view> PickleMachine::TakeLine() {
  const size_t length = rest_.substr(0, kMaxGlobalBytes).find('\n');
  if (length == absl::string_view::npos) {
    return Malformed(rest_.size() < kMaxGlobalBytes ? "PT_TRUNCATED" : "PT_LENGTH",
                     "a global's name has no end");
  }
  const absl::string_view line = rest_.substr(0, length);
  rest_.remove_prefix(length + 1);
  return line;
}

absl::Status PickleMachine::Push(PickleId id) {
  if (stack_.size() == kMaxPickleStack) {
    return absl::ResourceExhaustedError(
        absl::StrCat("PT_NODE_LIMIT: more than ", kMaxPickleStack, " values on the stack"));
  }
  stack_.push_back(id);
  return absl::OkStatus();
}

absl::Status PickleMachine::PushNew(PickleValue value) {
  if (pickle_.values.size() == kMaxValues) {
    return absl::ResourceExhaustedError(
        absl::StrCat("PT_NODE_LIMIT: the pickle has more than ", kMaxValues, " values"));
  }
  pickle_.values.push_back(std::move(value));
  return Push(static_cast<PickleId>(pickle_.values.size() - 1));
}

absl::StatusOr<PickleId> PickleMachine::Pop() {
  if (stack_.size() <= Floor())
    return Malformed("PT_STACK", "an opcode needs more than the stack has");
  const PickleId id = stack_.back();
  stack_.pop_back();
  return id;
}

absl::StatusOr<PickleId> PickleMachine::Top() const {
  if (stack_.size() <= Floor())
    return Malformed("PT_STACK", "an opcode needs more than the stack has");
  return stack_.back();
}

absl::StatusOr<std::vector<PickleId>> PickleMachine::PopToMark() {
  if (marks_.empty()) return Malformed("PT_STACK", "an opcode needs a mark, and there is none");
  const auto begin = stack_.begin() + static_cast<ptrdiff_t>(marks_.back());
  std::vector<PickleId> items(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return items;
}

absl::Status PickleMachine::PushNumber(Kind kind, int64_t number) {
  PickleValue value;
  value.kind = kind;
  value.number = number;
  return PushNew(std::move(value));
}

absl::Status PickleMachine::PushText(absl::StatusOr<absl::string_view> text) {
  if (!text.ok()) return text.status();
  PickleValue value;
  value.kind = Kind::kString;
  value.text = *text;
  return PushNew(std::move(value));
}

absl::Status PickleMachine::PushLong(uint64_t length) {
  if (length > sizeof(int64_t)) {
    return Malformed("PT_LENGTH", absl::StrCat("a number of ", length, " bytes, at most 8"));
  }
  SIGSERVE_ASSIGN_OR_RETURN(const absl::string_view bytes, Take(length));
  const bool negative = !bytes.empty() && (static_cast<unsigned char>(bytes.back()) & 0x80U) != 0;
  int64_t number = negative ? -1 : 0;
  std::memcpy(&number, bytes.data(), bytes.size());
  return PushNumber(Kind::kInt, number);
}

absl::Status PickleMachine::PushTuple(size_t count) {
  if (stack_.size() - Floor() < count) {
    return Malformed("PT_STACK",
                     absl::StrCat("a tuple of ", count, " needs more than the stack has"));
  }
  PickleValue tuple;
  tuple.kind = Kind::kTuple;
  tuple.items.assign(stack_.end() - static_cast<ptrdiff_t>(count), stack_.end());
  stack_.resize(stack_.size() - count);
  return PushNew(std::move(tuple));
}

absl::Status PickleMachine::Memoize(uint64_t id) {
  if (id >= kMaxMemo) {
    return Malformed("PT_MEMO", absl::StrCat("memo number ", id, ", at most ", kMaxMemo - 1));
  }
  SIGSERVE_ASSIGN_OR_RETURN(memo_[static_cast<uint32_t>(id)], Top());
  return absl::OkStatus();
}

absl::Status PickleMachine::Recall(uint64_t id) {
  const auto found = memo_.find(static_cast<uint32_t>(id));
  if (found == memo_.end()) {
    return Malformed("PT_MEMO", absl::StrCat("memo number ", id, " is used before it is set"));
  }
  return Push(found->second);
}

absl::Status PickleMachine::Append(const std::vector<PickleId>& items) {
  SIGSERVE_ASSIGN_OR_RETURN(const PickleId id, Top());
  PickleValue& list = value(id);
  if (list.kind != Kind::kList) return Malformed("PT_STACK", "APPEND to what is no list");
  list.items.insert(list.items.end(), items.begin(), items.end());
  return absl::OkStatus();
}

absl::Status PickleMachine::SetItems(const std::vector<PickleId>& items) {
  SIGSERVE_ASSIGN_OR_RETURN(const PickleId id, Top());
  PickleValue& dict = value(id);
  if (dict.kind != Kind::kDict) return Malformed("PT_SETITEM", "SETITEM on what is no dictionary");
  if (items.size() % 2 != 0) return Malformed("PT_STACK", "SETITEMS with a key that has no value");
  dict.items.insert(dict.items.end(), items.begin(), items.end());
  return absl::OkStatus();
}

absl::Status PickleMachine::PushGlobal() {
  SIGSERVE_ASSIGN_OR_RETURN(const absl::string_view module, TakeLine());
  SIGSERVE_ASSIGN_OR_RETURN(const absl::string_view name, TakeLine());
  const bool first = !std::exchange(seen_global_, true) && stack_.empty() && marks_.empty();
  // EMPTY_TUPLE, NEWOBJ: an object of this class is the whole file.
  absl::string_view next = rest_;
  if (absl::StartsWith(next, "q")) next = next.substr(2 < next.size() ? 2 : next.size());
  SIGSERVE_RETURN_IF_ERROR(CheckGlobal(module, name, first && absl::StartsWith(next, ")\x81")));
  PickleValue global;
  global.kind = Kind::kGlobal;
  // "module\nname" lies in one piece in the file.
  global.text = absl::string_view(module.data(), module.size() + 1 + name.size());
  return PushNew(std::move(global));
}

absl::Status PickleMachine::PushPersistent() {
  SIGSERVE_ASSIGN_OR_RETURN(const PickleId id, Pop());
  const PickleValue& tuple = value(id);
  const size_t arity = legacy_ ? 6 : 5;
  if (tuple.kind != Kind::kTuple || tuple.items.size() != arity ||
      !IsText(tuple.items[0], "storage")) {
    return Malformed("PT_PERSID",
                     absl::StrCat("a reference to a storage must be ('storage', type, key, "
                                  "location, size",
                                  legacy_ ? ", view)" : ")"));
  }
  const PickleValue& type = value(tuple.items[1]);
  const PickleValue& key = value(tuple.items[2]);
  const PickleValue& location = value(tuple.items[3]);
  if (type.kind != Kind::kGlobal || !StorageTypeOf(type.text).has_value()) {
    return Malformed("PT_PERSID", "a storage's type is no storage type");
  }
  if (key.kind != Kind::kString || key.text.empty() || key.text.size() > kMaxKeyBytes ||
      key.text.find_first_not_of("0123456789") != absl::string_view::npos) {
    return Malformed("PT_PERSID",
                     absl::StrCat("a storage's key must be digits, is ", Printable(key.text)));
  }
  if (location.kind != Kind::kString || location.text.size() > kMaxLocationBytes) {
    return Malformed("PT_LOCATION", absl::StrCat("storage ", key.text,
                                                 ": the location is no text of at "
                                                 "most ",
                                                 kMaxLocationBytes, " bytes"));
  }
  StorageReference storage;
  storage.key = key.text;
  storage.type = *StorageTypeOf(type.text);
  storage.record_elements = storage.elements = Count(tuple.items[4]);
  if (storage.elements < 0) {
    return Malformed("PT_STORAGE_SIZE", absl::StrCat("storage ", key.text, " has no valid size"));
  }
  if (legacy_ && value(tuple.items[5]).kind != Kind::kNone) {
    // (key of the view, offset, size): a storage that is a part of another one.
    const PickleValue& view = value(tuple.items[5]);
    if (view.kind != Kind::kTuple || view.items.size() != 3) {
      return Malformed("PT_PERSID", absl::StrCat("storage ", key.text,
                                                 ": its view is no (key, offset, "
                                                 "size)"));
    }
    storage.offset = Count(view.items[1]);
    storage.elements = Count(view.items[2]);
    if (storage.offset < 0 || storage.elements < 0 || storage.offset > storage.record_elements ||
        storage.elements > storage.record_elements - storage.offset) {
      return Malformed("PT_STORAGE_SIZE",
                       absl::StrCat("storage ", key.text, ": its view leaves it"));
    }
  }
  pickle_.storages.push_back(storage);
  return PushNumber(Kind::kStorage, static_cast<int64_t>(pickle_.storages.size()) - 1);
}

absl::Status PickleMachine::BuildOrderedDict(const PickleValue& arguments) {
  PickleValue dict;
  dict.kind = Kind::kDict;
  dict.ordered = true;
  if (arguments.items.size() > 1) return Malformed("PT_STACK", "OrderedDict takes one argument");
  if (arguments.items.size() == 1) {
    // As Python 2 wrote it: a list of [key, value].
    const PickleValue& pairs = value(arguments.items[0]);
    if (pairs.kind != Kind::kList)
      return Malformed("PT_STACK", "OrderedDict takes a list of pairs");
    for (const PickleId id : pairs.items) {
      const PickleValue& pair = value(id);
      if ((pair.kind != Kind::kList && pair.kind != Kind::kTuple) || pair.items.size() != 2) {
        return Malformed("PT_STACK", "OrderedDict takes a list of pairs");
      }
      dict.items.insert(dict.items.end(), pair.items.begin(), pair.items.end());
    }
  }
  return PushNew(std::move(dict));
}

absl::Status PickleMachine::Reduce() {
  SIGSERVE_ASSIGN_OR_RETURN(const PickleId arguments_id, Pop());
  SIGSERVE_ASSIGN_OR_RETURN(const PickleId callee_id, Pop());
  const PickleValue& arguments = value(arguments_id);
  const PickleValue& callee = value(callee_id);
  if (callee.kind != Kind::kGlobal || arguments.kind != Kind::kTuple) {
    return Malformed("PT_STACK", "REDUCE needs a global and a tuple");
  }
  switch (CalleeOf(callee.text)) {
    case Callee::kOrderedDict:
      return BuildOrderedDict(arguments);
    case Callee::kRebuildTensor: {
      // (storage, offset, size, stride, ...); what follows does not change the elements.
      if (arguments.items.size() < 4 || arguments.items.size() > 7 ||
          value(arguments.items[0]).kind != Kind::kStorage || Count(arguments.items[1]) < 0 ||
          value(arguments.items[2]).kind != Kind::kTuple ||
          value(arguments.items[3]).kind != Kind::kTuple) {
        return Malformed("PT_STRIDE",
                         "a tensor must be rebuilt from (storage, offset, size, stride)");
      }
      PickleValue tensor;
      tensor.kind = Kind::kTensor;
      tensor.items.assign(arguments.items.begin(), arguments.items.begin() + 4);
      return PushNew(std::move(tensor));
    }
    case Callee::kRebuildParameter:
      if (arguments.items.empty() || value(arguments.items[0]).kind != Kind::kTensor) {
        return Malformed("PT_STACK", "a parameter must be rebuilt from a tensor");
      }
      return Push(arguments.items[0]);
    case Callee::kNone:
      break;
  }
  return Malformed("PT_STACK", "REDUCE calls a storage type");
}

absl::Status PickleMachine::Build() {
  SIGSERVE_ASSIGN_OR_RETURN(const PickleId state, Pop());
  SIGSERVE_ASSIGN_OR_RETURN(const PickleId object, Top());
  // A state_dict's own attribute: the versions of its modules.
  if (!value(object).ordered || value(state).kind != Kind::kDict) {
    return absl::UnimplementedError("PT_OPCODE: BUILD on something else than an OrderedDict");
  }
  return absl::OkStatus();
}

}  // namespace sigserve
