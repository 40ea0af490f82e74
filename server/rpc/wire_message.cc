#include "server/rpc/wire_message.h"

#include <google/protobuf/io/zero_copy_stream.h>

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "server/rpc/object_count.h"

namespace sigserve {
namespace {

/// Reads the pieces of a message one after the other.
class PieceStream final : public google::protobuf::io::ZeroCopyInputStream {
 public:
  explicit PieceStream(absl::Span<const absl::string_view> pieces) : pieces_(pieces) {}

  bool Next(const void** data, int* size) override {
    while (at_ < pieces_.size() && offset_ == pieces_[at_].size()) {
      ++at_;
      offset_ = 0;
    }
    if (at_ == pieces_.size()) return false;
    const absl::string_view piece = pieces_[at_];
    const size_t length = std::min(piece.size() - offset_, size_t{std::numeric_limits<int>::max()});
    *data = piece.data() + offset_;
    *size = static_cast<int>(length);
    offset_ += length;
    count_ += *size;
    return true;
  }
  void BackUp(int count) override {
    offset_ -= static_cast<size_t>(count);
    count_ -= count;
  }
  bool Skip(int count) override {
    const void* data = nullptr;
    int size = 0;
    while (count > 0) {
      if (!Next(&data, &size)) return false;
      if (size > count) BackUp(size - count);
      count -= size;
    }
    return true;
  }
  int64_t ByteCount() const override { return count_; }

 private:
  const absl::Span<const absl::string_view> pieces_;
  size_t at_ = 0;
  size_t offset_ = 0;  // in pieces_[at_]
  int64_t count_ = 0;
};

// Parsed, as many strings and messages take about 16 MiB. No real request has as many.
constexpr int64_t kMaxObjects = int64_t{1} << 16;
// A message of fewer bytes cannot contain more.
constexpr size_t kFewBytes = 2 * kMaxObjects;

}  // namespace

absl::Status ParseMessage(absl::Span<const absl::string_view> pieces,
                          google::protobuf::Message* message) {
  size_t bytes = 0;
  for (const absl::string_view piece : pieces) bytes += piece.size();
  if (bytes > kFewBytes) {
    PieceStream stream(pieces);
    if (CountObjects(&stream, *message->GetDescriptor(), kMaxObjects) > kMaxObjects) {
      return absl::InvalidArgumentError(
          absl::StrCat("the message has more than ", kMaxObjects, " nested strings and messages"));
    }
  }
  bool parsed = false;
  if (pieces.size() == 1) {
    parsed = message->ParseFromArray(pieces[0].data(), static_cast<int>(pieces[0].size()));
  } else {
    PieceStream stream(pieces);
    parsed = message->ParseFromZeroCopyStream(&stream);
  }
  if (parsed) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the request's bytes do not encode a ",
                                                 message->GetDescriptor()->name(), " message"));
}

}  // namespace sigserve
