#include "model/formats/torch_state_dict/pickle.h"

#include <cstring>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/error_tokens.h"
#include "model/base/status_macros.h"
#include "model/formats/torch_state_dict/pickle_globals.h"
#include "model/formats/torch_state_dict/pickle_tree.h"

namespace sigserve {
namespace {

using Kind = PickleValue::Kind;

constexpr size_t kMaxValues = 250'000;
constexpr size_t kMaxStack = 1'000'000;
constexpr uint32_t kMaxMemo = 1'000'000;
constexpr size_t kMaxGlobalBytes = 512;
constexpr size_t kMaxLocationBytes = 64;
constexpr size_t kMaxKeyBytes = 20;

/// The stack machine. One use.
class Machine {
 public:
  Machine(absl::string_view bytes, bool legacy) : bytes_(bytes), rest_(bytes), legacy_(legacy) {}

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
  absl::Status PushNumber(Kind kind, int64_t number);
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
    return v.kind == Kind::kInt ? v.number : -1;
  }
  bool IsText(PickleId id, absl::string_view text) const {
    const PickleValue& v = pickle_.values[id];
    return v.kind == Kind::kString && v.text == text;
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

absl::StatusOr<absl::string_view> Machine::Take(uint64_t count) {
  if (count > rest_.size()) return Malformed("PT_TRUNCATED", "the pickle ends within an opcode");
  const absl::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

template <typename T>
absl::StatusOr<T> Machine::TakeNumber() {
  SIGSERVE_ASSIGN_OR_RETURN(const absl::string_view bytes, Take(sizeof(T)));
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

absl::StatusOr<absl::string_view> Machine::TakeText(uint64_t length) {
  if (length > rest_.size()) {
    return Malformed("PT_LENGTH", absl::StrCat("a text of ", length, " bytes, ", rest_.size(),
                                               " are left in the file"));
  }
  return Take(length);
}

absl::StatusOr<absl::string_view> Machine::TakeLine() {
  const size_t length = rest_.substr(0, kMaxGlobalBytes).find('\n');
  if (length == absl::string_view::npos) {
    return Malformed(rest_.size() < kMaxGlobalBytes ? "PT_TRUNCATED" : "PT_LENGTH",
                     "a global's name has no end");
  }
  const absl::string_view line = rest_.substr(0, length);
  rest_.remove_prefix(length + 1);
  return line;
}

absl::Status Machine::Push(PickleId id) {
  if (stack_.size() == kMaxStack) {
    return absl::ResourceExhaustedError(
        absl::StrCat("PT_NODE_LIMIT: more than ", kMaxStack, " values on the stack"));
  }
  stack_.push_back(id);
  return absl::OkStatus();
}

absl::Status Machine::PushNew(PickleValue value) {
  if (pickle_.values.size() == kMaxValues) {
    return absl::ResourceExhaustedError(
        absl::StrCat("PT_NODE_LIMIT: the pickle has more than ", kMaxValues, " values"));
  }
  pickle_.values.push_back(std::move(value));
  return Push(static_cast<PickleId>(pickle_.values.size() - 1));
}

absl::StatusOr<PickleId> Machine::Pop() {
  if (stack_.size() <= Floor())
    return Malformed("PT_STACK", "an opcode needs more than the stack has");
  const PickleId id = stack_.back();
  stack_.pop_back();
  return id;
}

absl::StatusOr<PickleId> Machine::Top() const {
  if (stack_.size() <= Floor())
    return Malformed("PT_STACK", "an opcode needs more than the stack has");
  return stack_.back();
}

absl::StatusOr<std::vector<PickleId>> Machine::PopToMark() {
  if (marks_.empty()) return Malformed("PT_STACK", "an opcode needs a mark, and there is none");
  const auto begin = stack_.begin() + static_cast<ptrdiff_t>(marks_.back());
  std::vector<PickleId> items(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return items;
}

absl::Status Machine::PushNumber(Kind kind, int64_t number) {
  PickleValue value;
  value.kind = kind;
  value.number = number;
  return PushNew(std::move(value));
}

absl::Status Machine::PushText(absl::StatusOr<absl::string_view> text) {
  if (!text.ok()) return text.status();
  PickleValue value;
  value.kind = Kind::kString;
  value.text = *text;
  return PushNew(std::move(value));
}

absl::Status Machine::PushLong(uint64_t length) {
  if (length > sizeof(int64_t)) {
    return Malformed("PT_LENGTH", absl::StrCat("a number of ", length, " bytes, at most 8"));
  }
  SIGSERVE_ASSIGN_OR_RETURN(const absl::string_view bytes, Take(length));
  const bool negative = !bytes.empty() && (static_cast<unsigned char>(bytes.back()) & 0x80U) != 0;
  int64_t number = negative ? -1 : 0;
  std::memcpy(&number, bytes.data(), bytes.size());
  return PushNumber(Kind::kInt, number);
}

absl::Status Machine::PushTuple(size_t count) {
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

absl::Status Machine::Memoize(uint64_t id) {
  if (id >= kMaxMemo) {
    return Malformed("PT_MEMO", absl::StrCat("memo number ", id, ", at most ", kMaxMemo - 1));
  }
  SIGSERVE_ASSIGN_OR_RETURN(memo_[static_cast<uint32_t>(id)], Top());
  return absl::OkStatus();
}

absl::Status Machine::Recall(uint64_t id) {
  const auto found = memo_.find(static_cast<uint32_t>(id));
  if (found == memo_.end()) {
    return Malformed("PT_MEMO", absl::StrCat("memo number ", id, " is used before it is set"));
  }
  return Push(found->second);
}

absl::Status Machine::Append(const std::vector<PickleId>& items) {
  SIGSERVE_ASSIGN_OR_RETURN(const PickleId id, Top());
  PickleValue& list = value(id);
  if (list.kind != Kind::kList) return Malformed("PT_STACK", "APPEND to what is no list");
  list.items.insert(list.items.end(), items.begin(), items.end());
  return absl::OkStatus();
}

absl::Status Machine::SetItems(const std::vector<PickleId>& items) {
  SIGSERVE_ASSIGN_OR_RETURN(const PickleId id, Top());
  PickleValue& dict = value(id);
  if (dict.kind != Kind::kDict) return Malformed("PT_SETITEM", "SETITEM on what is no dictionary");
  if (items.size() % 2 != 0) return Malformed("PT_STACK", "SETITEMS with a key that has no value");
  dict.items.insert(dict.items.end(), items.begin(), items.end());
  return absl::OkStatus();
}

absl::Status Machine::PushGlobal() {
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

absl::Status Machine::PushPersistent() {
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

absl::Status Machine::BuildOrderedDict(const PickleValue& arguments) {
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

absl::Status Machine::Reduce() {
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

absl::Status Machine::Build() {
  SIGSERVE_ASSIGN_OR_RETURN(const PickleId state, Pop());
  SIGSERVE_ASSIGN_OR_RETURN(const PickleId object, Top());
  // A state_dict's own attribute: the versions of its modules.
  if (!value(object).ordered || value(state).kind != Kind::kDict) {
    return absl::UnimplementedError("PT_OPCODE: BUILD on something else than an OrderedDict");
  }
  return absl::OkStatus();
}

// Opcodes whose argument is a number, a text or nothing.
absl::Status Machine::Step(unsigned char opcode) {
  switch (opcode) {
    case 0x80: {  // PROTO
      SIGSERVE_ASSIGN_OR_RETURN(const uint8_t version, TakeNumber<uint8_t>());
      if (version <= 5) return absl::OkStatus();
      return absl::UnimplementedError(absl::StrCat("PT_OPCODE: pickle protocol ", version));
    }
    case 0x95: {  // FRAME
      SIGSERVE_ASSIGN_OR_RETURN(const uint64_t length, TakeNumber<uint64_t>());
      if (length <= rest_.size()) return absl::OkStatus();
      return Malformed("PT_LENGTH", absl::StrCat("a frame of ", length, " bytes, ", rest_.size(),
                                                 " are left in the file"));
    }
    case 'N':
      return PushNumber(Kind::kNone, 0);
    case 0x88:  // NEWTRUE
      return PushNumber(Kind::kBool, 1);
    case 0x89:  // NEWFALSE
      return PushNumber(Kind::kBool, 0);
    case 'J': {  // BININT
      SIGSERVE_ASSIGN_OR_RETURN(const int32_t number, TakeNumber<int32_t>());
      return PushNumber(Kind::kInt, number);
    }
    case 'K': {  // BININT1
      SIGSERVE_ASSIGN_OR_RETURN(const uint8_t number, TakeNumber<uint8_t>());
      return PushNumber(Kind::kInt, number);
    }
    case 'M': {  // BININT2
      SIGSERVE_ASSIGN_OR_RETURN(const uint16_t number, TakeNumber<uint16_t>());
      return PushNumber(Kind::kInt, number);
    }
    case 0x8A: {  // LONG1
      SIGSERVE_ASSIGN_OR_RETURN(const uint8_t length, TakeNumber<uint8_t>());
      return PushLong(length);
    }
    case 0x8B: {  // LONG4
      SIGSERVE_ASSIGN_OR_RETURN(const uint32_t length, TakeNumber<uint32_t>());
      return PushLong(length);
    }
    case 'G':  // BINFLOAT
      SIGSERVE_RETURN_IF_ERROR(Take(sizeof(double)).status());
      return PushNumber(Kind::kFloat, 0);
    case 'U':     // SHORT_BINSTRING
    case 0x8C: {  // SHORT_BINUNICODE
      SIGSERVE_ASSIGN_OR_RETURN(const uint8_t length, TakeNumber<uint8_t>());
      return PushText(TakeText(length));
    }
    case 'T':    // BINSTRING
    case 'X': {  // BINUNICODE
      SIGSERVE_ASSIGN_OR_RETURN(const uint32_t length, TakeNumber<uint32_t>());
      return PushText(TakeText(length));
    }
    case 0x8D: {  // BINUNICODE8
      SIGSERVE_ASSIGN_OR_RETURN(const uint64_t length, TakeNumber<uint64_t>());
      return PushText(TakeText(length));
    }
    case 'h': {  // BINGET
      SIGSERVE_ASSIGN_OR_RETURN(const uint8_t id, TakeNumber<uint8_t>());
      return Recall(id);
    }
    case 'j': {  // LONG_BINGET
      SIGSERVE_ASSIGN_OR_RETURN(const uint32_t id, TakeNumber<uint32_t>());
      return Recall(id);
    }
    case 'q': {  // BINPUT
      SIGSERVE_ASSIGN_OR_RETURN(const uint8_t id, TakeNumber<uint8_t>());
      return Memoize(id);
    }
    case 'r': {  // LONG_BINPUT
      SIGSERVE_ASSIGN_OR_RETURN(const uint32_t id, TakeNumber<uint32_t>());
      return Memoize(id);
    }
    case 0x94:  // MEMOIZE
      return Memoize(memo_.size());
    default:
      return StepBuild(opcode);
  }
}

// Opcodes that put values together.
absl::Status Machine::StepBuild(unsigned char opcode) {
  switch (opcode) {
    case '(':  // MARK
      if (marks_.size() == kMaxStack) {
        return absl::ResourceExhaustedError("PT_NODE_LIMIT: too many marks on the stack");
      }
      marks_.push_back(stack_.size());
      return absl::OkStatus();
    case '0':  // POP: of a mark, where it is on top
      if (!marks_.empty() && marks_.back() == stack_.size()) {
        marks_.pop_back();
        return absl::OkStatus();
      }
      return Pop().status();
    case '1':  // POP_MARK
      return PopToMark().status();
    case ')':  // EMPTY_TUPLE
      return PushNumber(Kind::kTuple, 0);
    case 't':  // TUPLE
      if (marks_.empty()) return Malformed("PT_STACK", "TUPLE needs a mark, and there is none");
      {
        const size_t count = stack_.size() - marks_.back();
        SIGSERVE_RETURN_IF_ERROR(PushTuple(count));
        marks_.pop_back();
        return absl::OkStatus();
      }
    case 0x85:  // TUPLE1
    case 0x86:  // TUPLE2
    case 0x87:  // TUPLE3
      return PushTuple(opcode - 0x84U);
    case ']':  // EMPTY_LIST
      return PushNumber(Kind::kList, 0);
    case '}':  // EMPTY_DICT
      return PushNumber(Kind::kDict, 0);
    case 'a': {  // APPEND
      SIGSERVE_ASSIGN_OR_RETURN(const PickleId item, Pop());
      return Append({item});
    }
    case 'e': {  // APPENDS
      SIGSERVE_ASSIGN_OR_RETURN(const std::vector<PickleId> items, PopToMark());
      return Append(items);
    }
    case 's': {  // SETITEM
      SIGSERVE_ASSIGN_OR_RETURN(const PickleId item, Pop());
      SIGSERVE_ASSIGN_OR_RETURN(const PickleId key, Pop());
      return SetItems({key, item});
    }
    case 'u': {  // SETITEMS
      SIGSERVE_ASSIGN_OR_RETURN(const std::vector<PickleId> items, PopToMark());
      return SetItems(items);
    }
    case 'c':  // GLOBAL
      return PushGlobal();
    case 'Q':  // BINPERSID
      return PushPersistent();
    case 'R':  // REDUCE
      return Reduce();
    case 'b':  // BUILD
      return Build();
    default:
      return absl::UnimplementedError(absl::StrCat(
          "PT_OPCODE: opcode 0x", absl::Hex(opcode, absl::kZeroPad2), " at byte ",
          bytes_.size() - rest_.size() - 1,
          "; torch.save(model.state_dict(), path) with its default protocol does not write it"));
  }
}

absl::StatusOr<Pickle> Machine::Run() {
  while (true) {
    if (rest_.empty()) return Malformed("PT_TRUNCATED", "the pickle has no STOP");
    const auto opcode = static_cast<unsigned char>(rest_[0]);
    rest_.remove_prefix(1);
    if (opcode == '.') break;
    SIGSERVE_RETURN_IF_ERROR(Step(opcode));
  }
  SIGSERVE_ASSIGN_OR_RETURN(pickle_.root, Pop());
  if (!stack_.empty() || !marks_.empty()) {
    return Malformed("PT_STACK", "STOP with more than one value on the stack");
  }
  pickle_.consumed = bytes_.size() - rest_.size();
  SIGSERVE_RETURN_IF_ERROR(CheckTree(pickle_));
  return std::move(pickle_);
}

}  // namespace

absl::StatusOr<Pickle> ReadPickle(absl::string_view bytes, bool legacy) {
  return Machine(bytes, legacy).Run();
}

}  // namespace sigserve
