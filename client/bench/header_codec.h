// HPACK for one connection (RFC 7541, by nghttp2): request headers of gRPC calls out, grpc-status
// in. A method's header block is encoded a few times at most: once it refers to the dynamic table
// alone it is kept and sent again as it is. Not thread-safe.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sigserve::bench {

/// What differs between the header blocks of calls; the rest is constant in gRPC.
struct Method {
  std::string path = {};   // "/package.Service/Method"
  int64_t timeout_us = 0;  // grpc-timeout; 0 = none
};

class HeaderCodec {
 public:
  explicit HeaderCodec(std::string authority);

  /// Returns the method's index.
  int Add(const Method& method);
  /// The block to send next. Valid until the next call.
  const std::string& Encode(int method);
  /// The peer's SETTINGS_HEADER_TABLE_SIZE.
  void LimitTable(uint32_t bytes);

  /// Decodes a whole block; nothing if it has no grpc-status, 2 (UNKNOWN) if that is no code.
  /// UNAVAILABLE if it is no HPACK or has more than 256 fields: the connection is then of no use.
  absl::StatusOr<std::optional<int>> DecodeStatus(absl::string_view block);

 private:
  struct Known {
    Method method;
    std::string block;
    bool lasts = false;
  };
  std::string Deflate(const Method& method);

  struct Deleter {
    void operator()(nghttp2_hd_deflater* d) const { nghttp2_hd_deflate_del(d); }
    void operator()(nghttp2_hd_inflater* i) const { nghttp2_hd_inflate_del(i); }
  };
  std::unique_ptr<nghttp2_hd_deflater, Deleter> deflater_;
  std::unique_ptr<nghttp2_hd_inflater, Deleter> inflater_;
  const std::string authority_;
  std::vector<Known> methods_;
};

}  // namespace sigserve::bench
