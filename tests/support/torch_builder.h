// Files of torch.save, and files that only look like them, built by hand.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace sigserve::testing_support {

template <typename T>
std::string Raw(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

// Pieces of a pickle.
inline std::string Text(const std::string& text) {
  return "X" + Raw(static_cast<uint32_t>(text.size())) + text;
}
inline std::string Int(int64_t value) { return "\x8a\x08" + Raw(value); }
inline std::string Tuple(std::initializer_list<std::string> items) {
  std::string pickle = "(";
  for (const std::string& item : items) pickle += item;
  return pickle + "t";
}
inline std::string Ints(std::initializer_list<int64_t> values) {
  std::string pickle = "(";
  for (const int64_t value : values) pickle += Int(value);
  return pickle + "t";
}
inline std::string Global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string Storage(const std::string& key, int64_t elements,
                           const std::string& type = "FloatStorage",
                           const std::string& location = "cpu") {
  return Tuple({Text("storage"), Global("torch", type), Text(key), Text(location), Int(elements)}) +
         "Q";
}
inline std::string TensorOf(const std::string& storage, int64_t offset,
                            std::initializer_list<int64_t> size,
                            std::initializer_list<int64_t> stride) {
  return Global("torch._utils", "_rebuild_tensor_v2") +
         Tuple({storage, Int(offset), Ints(size), Ints(stride), "\x89",
                Global("collections", "OrderedDict") + ")R"}) +
         "R";
}
/// A pickle of a dictionary: key, value, key, value, ...
inline std::string Dict(std::initializer_list<std::string> items) {
  std::string pickle = "}(";
  for (const std::string& item : items) pickle += item;
  return pickle + "u";
}
inline std::string Whole(const std::string& body) { return "\x80\x02" + body + "."; }

// A ZIP archive.
struct Member {
  std::string name;
  std::string contents;
  uint16_t method = 0;
  uint16_t flags = 0;
  uint32_t attributes = 0;
  // What the central directory says instead, where it lies.
  std::string central_name = {};
  int64_t size = -1;
  int64_t crc = -1;
  int64_t offset = -1;
};

inline uint32_t Crc(const std::string& bytes) {
  return static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

inline std::string EndRecord(uint16_t entries, uint32_t size, uint32_t offset,
                             const std::string& comment = "") {
  return "PK\x05\x06" + Raw<uint32_t>(0) + Raw(entries) + Raw(entries) + Raw(size) + Raw(offset) +
         Raw(static_cast<uint16_t>(comment.size())) + comment;
}

inline std::string Zip(const std::vector<Member>& members, const std::string& comment = "") {
  std::string file;
  std::string directory;
  for (const Member& m : members) {
    const auto offset =
        m.offset >= 0 ? static_cast<uint32_t>(m.offset) : static_cast<uint32_t>(file.size());
    const uint32_t crc = m.crc >= 0 ? static_cast<uint32_t>(m.crc) : Crc(m.contents);
    const auto real = static_cast<uint32_t>(m.contents.size());
    const uint32_t size = m.size >= 0 ? static_cast<uint32_t>(m.size) : real;
    const std::string& listed = m.central_name.empty() ? m.name : m.central_name;
    file += "PK\x03\x04" + Raw<uint16_t>(20) + Raw(m.flags) + Raw(m.method) + Raw<uint32_t>(0) +
            Raw(crc) + Raw(real) + Raw(real) + Raw(static_cast<uint16_t>(m.name.size())) +
            Raw<uint16_t>(0) + m.name + m.contents;
    directory += "PK\x01\x02" + Raw<uint16_t>(20) + Raw<uint16_t>(20) + Raw(m.flags) +
                 Raw(m.method) + Raw<uint32_t>(0) + Raw(crc) + Raw(size) + Raw(size) +
                 Raw(static_cast<uint16_t>(listed.size())) + Raw<uint64_t>(0) + Raw(m.attributes) +
                 Raw(offset) + listed;
  }
  const auto begin = static_cast<uint32_t>(file.size());
  return file + directory +
         EndRecord(static_cast<uint16_t>(members.size()), static_cast<uint32_t>(directory.size()),
                   begin, comment);
}

/// An archive as torch.save writes it, of a data.pkl and one record "0".
inline std::vector<Member> Archive(const std::string& pickle, const std::string& record) {
  return {{"m/data.pkl", pickle}, {"m/data/0", record}, {"m/version", "3\n"}};
}
inline std::string TorchFile(const std::string& pickle, const std::string& record = "") {
  return Zip(Archive(pickle, record));
}

}  // namespace sigserve::testing_support
