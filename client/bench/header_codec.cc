#include "client/bench/header_codec.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace sigserve::bench {
namespace {

constexpr uint32_t kTableBytes = 4096;
constexpr int kMaxFields = 256;
constexpr int kUnknown = 2;
constexpr int kLastCode = 16;

uint8_t* Bytes(std::string& text) { return reinterpret_cast<uint8_t*>(text.data()); }

int ParseCode(absl::string_view text) {
  int code = kUnknown;
  if (!absl::SimpleAtoi(text, &code) || code < 0 || code > kLastCode) return kUnknown;
  return code;
}

}  // namespace

HeaderCodec::HeaderCodec(std::string authority) : authority_(std::move(authority)) {
  nghttp2_hd_deflater* deflater = nullptr;
  nghttp2_hd_inflater* inflater = nullptr;
  nghttp2_hd_deflate_new(&deflater, kTableBytes);  // both fail only for want of memory
  nghttp2_hd_inflate_new(&inflater);
  deflater_.reset(deflater);
  inflater_.reset(inflater);
}

int HeaderCodec::Add(const Method& method) {
  methods_.push_back({.method = method, .block = {}});
  return static_cast<int>(methods_.size()) - 1;
}

const std::string& HeaderCodec::Encode(int method) {
  Known& known = methods_[method];
  if (known.lasts) return known.block;
  const size_t before = nghttp2_hd_deflate_get_num_table_entries(deflater_.get());
  std::string block = Deflate(known.method);
  if (nghttp2_hd_deflate_get_num_table_entries(deflater_.get()) == before) {
    // The first block after a change of the table's size says so, and must not be sent twice.
    known.lasts = block == known.block;
  } else {
    // Entries are counted from the newest: an insertion renumbers all that others refer to.
    for (Known& other : methods_) other.lasts = false;
  }
  known.block = std::move(block);
  return known.block;
}

void HeaderCodec::LimitTable(uint32_t bytes) {
  nghttp2_hd_deflate_change_table_size(deflater_.get(), std::min(bytes, kTableBytes));
  for (Known& known : methods_) known.lasts = false;
}

std::string HeaderCodec::Deflate(const Method& method) {
  std::vector<std::pair<std::string, std::string>> fields = {
      {":method", "POST"},           {":scheme", "http"}, {":path", method.path},
      {":authority", authority_},    {"te", "trailers"},  {"content-type", "application/grpc"},
      {"user-agent", "sigctl-bench"}};
  if (method.timeout_us > 0) {
    // At most 8 digits: whole milliseconds as such.
    const std::string timeout = method.timeout_us % 1000 == 0
                                    ? absl::StrCat(method.timeout_us / 1000, "m")
                                    : absl::StrCat(method.timeout_us, "u");
    fields.insert(fields.begin() + 4, {"grpc-timeout", timeout});
  }
  std::vector<nghttp2_nv> list;
  list.reserve(fields.size());
  for (auto& [name, value] : fields) {
    list.push_back({Bytes(name), Bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  std::string block(nghttp2_hd_deflate_bound(deflater_.get(), list.data(), list.size()), '\0');
  const ssize_t size =
      nghttp2_hd_deflate_hd(deflater_.get(), Bytes(block), block.size(), list.data(), list.size());
  block.resize(static_cast<size_t>(std::max<ssize_t>(size, 0)));
  return block;
}

absl::StatusOr<std::optional<int>> HeaderCodec::DecodeStatus(absl::string_view block) {
  std::optional<int> code;
  const auto* in = reinterpret_cast<const uint8_t*>(block.data());
  size_t left = block.size();
  for (int fields = 0; fields <= kMaxFields; ++fields) {
    nghttp2_nv field;
    int flags = 0;
    const ssize_t used =
        nghttp2_hd_inflate_hd2(inflater_.get(), &field, &flags, in, left, /*in_final=*/1);
    if (used < 0) return absl::UnavailableError("the server sent headers that are no HPACK");
    in += used;
    left -= static_cast<size_t>(used);
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      const absl::string_view name(reinterpret_cast<const char*>(field.name), field.namelen);
      if (name == "grpc-status") {
        code = ParseCode({reinterpret_cast<const char*>(field.value), field.valuelen});
      }
    }
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
      nghttp2_hd_inflate_end_headers(inflater_.get());
      return code;
    }
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && left == 0) break;
  }
  return absl::UnavailableError("the server sent headers without end");
}

}  // namespace sigserve::bench
