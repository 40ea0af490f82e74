#include "model/formats/torch_state_dict/pickle.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/error_tokens.h"
#include "model/base/status_macros.h"
#include "model/formats/torch_state_dict/pickle_machine.h"
#include "model/formats/torch_state_dict/pickle_tree.h"

namespace sigserve {

namespace {

using Kind = PickleValue::Kind;

}  // namespace

// Opcodes whose argument is a number, a text or nothing.
absl::Status PickleMachine::Step(unsigned char opcode) {
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
absl::Status PickleMachine::StepBuild(unsigned char opcode) {
  switch (opcode) {
    case '(':  // MARK
      if (marks_.size() == kMaxPickleStack) {
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

absl::StatusOr<Pickle> PickleMachine::Run() {
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

absl::StatusOr<Pickle> ReadPickle(absl::string_view bytes, bool legacy) {
  return PickleMachine(bytes, legacy).Run();
}

}  // namespace sigserve
