#include "server/codec/wire_tensor.h"

#include <bit>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"
#include "server/rpc/status.h"

namespace sigserve {

static_assert(std::endian::native == std::endian::little,
              "views into the request's bytes assume that memory is little-endian");

absl::StatusOr<Shape> DecodeShape(absl::string_view input, absl::Span<const int64_t> dims,
                                  DType dtype) {
  if (dims.size() > static_cast<size_t>(kMaxRank)) {
    return absl::InvalidArgumentError(absl::StrCat("input ", Quote(input), " has ", dims.size(),
                                                   " dimensions, the limit is ", kMaxRank));
  }
  Shape shape(dims);
  const absl::StatusOr<int64_t> bytes = CheckedBytes(shape, SizeOf(dtype));
  if (!bytes.ok()) {
    return Annotate(bytes.status(), absl::StrCat("input ", Quote(input)));
  }
  if (*bytes == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("input ", Quote(input), " is empty: its shape ", shape.ToString(),
                     " holds no elements, expected at least one row"));
  }
  return shape;
}

absl::StatusOr<TensorView> ViewOfBytes(absl::string_view input, DType dtype,
                                       absl::string_view dtype_name, const Shape& shape,
                                       absl::string_view bytes) {
  const int64_t expected = shape.elements() * static_cast<int64_t>(SizeOf(dtype));
  if (static_cast<int64_t>(bytes.size()) != expected) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input byte size mismatch for input ", Quote(input), ": got ", bytes.size(),
        " bytes, expected ", expected, " (shape ", shape.ToString(), " ", dtype_name, ")"));
  }
  if (dtype == DType::kBool) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      if (static_cast<unsigned char>(bytes[i]) > 1) {
        return absl::InvalidArgumentError(absl::StrCat("input ", Quote(input), ": byte ", i, " is ",
                                                       static_cast<unsigned char>(bytes[i]),
                                                       ", a BOOL is 0 or 1"));
      }
    }
  }
  return TensorView(dtype, shape, bytes.data());
}

absl::StatusOr<TensorView> ViewOfElements(absl::string_view input, DType dtype, const Shape& shape,
                                          absl::string_view field, const void* data,
                                          int64_t count) {
  if (count != shape.elements()) {
    return absl::InvalidArgumentError(
        absl::StrCat("input ", Quote(input), ": got ", count, " elements in ", field, ", expected ",
                     shape.elements(), " (shape ", shape.ToString(), ")"));
  }
  return TensorView(dtype, shape, data);
}

const InputSignature* FindInput(const Signature& signature, absl::string_view name) {
  if (name.empty() && signature.inputs.size() == 1) return &signature.inputs[0];
  for (const InputSignature& input : signature.inputs) {
    if (input.name == name) return &input;
  }
  return nullptr;
}

absl::StatusOr<OutputIndices> SelectOutputs(const Signature& signature,
                                            absl::Span<const absl::string_view> names) {
  const int count = static_cast<int>(signature.outputs.size());
  OutputIndices selected;
  if (names.empty()) {
    for (int i = 0; i < count; ++i) selected.push_back(i);
    return selected;
  }
  absl::InlinedVector<bool, 8> taken(static_cast<size_t>(count), false);
  for (const absl::string_view name : names) {
    int i = 0;
    while (i < count && signature.outputs[static_cast<size_t>(i)].name != name) ++i;
    if (i == count) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the model has no output ", Quote(name), "; its outputs are: ",
          absl::StrJoin(signature.outputs, ", ",
                        [](std::string* out, const OutputSignature& o) { out->append(o.name); })));
    }
    if (taken[static_cast<size_t>(i)]) {
      return absl::InvalidArgumentError(
          absl::StrCat("output ", Quote(name), " is asked for twice"));
    }
    taken[static_cast<size_t>(i)] = true;
    selected.push_back(i);
  }
  return selected;
}

}  // namespace sigserve
