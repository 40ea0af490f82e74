#include "model/base/error_tokens.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace sigserve {
namespace {

constexpr ErrorToken kTokens[] = {
    {"ARCH_ARGUMENT", "An argument of a layer in model.textproto is missing, unknown or wrong."},
    {"ARCH_INPUT", "An input or output of model.textproto has a bad name, type or shape."},
    {"ARCH_LAYER", "model.textproto uses a layer this server lacks; architecture.proto lists all."},
    {"ARCH_PARSE", "model.textproto is not valid protobuf text; the message has line and column."},
    {"DISK_FULL", "The disk is full: free space, then train or publish again."},
    {"GRAPH_CYCLE", "Nodes of the model depend on each other in a circle."},
    {"GRAPH_DANGLING", "A node or output of the model reads a value that nothing computes."},
    {"GRAPH_DUP", "Two constants of the model have the same name."},
    {"GRAPH_NODE_LIMIT", "The model has more nodes or values than the server accepts."},
    {"GRAPH_OP", "This server lacks an operator of the model; model/ops/op_table.cc lists all."},
    {"GRAPH_SSA", "A value of the model is computed twice."},
    {"MODEL_BATCH_DIM",
     "The config sets max_batch_size, and the model has no batch dimension: set it to 0, or export "
     "with dynamic axes."},
    {"MODEL_NONFINITE", "A weight is NaN or infinite: train again, or export an earlier state."},
    {"MODEL_NOT_CLASSIFIER",
     "An output ends in no sigmoid or softmax; if it gives logits, set outputs_are_logits."},
    {"NAME", "A model or file name has a character that names cannot have, or is too long."},
    {"ONNX_ATTR", "An attribute of a node is missing, unknown or has a bad value."},
    {"ONNX_CYCLE", "Nodes of the file depend on each other in a circle."},
    {"ONNX_DANGLING", "A node or output of the file reads a value that nothing computes."},
    {"ONNX_DEPTH", "The file nests deeper than the server accepts."},
    {"ONNX_DTYPE", "A tensor has an element type this server lacks, or data of another type."},
    {"ONNX_DUP", "A name of the file is used twice."},
    {"ONNX_EXT", "The data is in another file, and there is no directory to read it from."},
    {"ONNX_EXT_HASH", "The external data do not match their checksum: copy the file again."},
    {"ONNX_EXT_KEY", "An entry of external data has an unknown, repeated or missing key."},
    {"ONNX_EXT_LINK", "The external data are a link; put the file itself into the version."},
    {"ONNX_EXT_MISSING", "The file of external data is not in the version's directory."},
    {"ONNX_EXT_PATH", "The external data lie outside the version's directory."},
    {"ONNX_EXT_RANGE", "Offset or length of external data do not fit the file."},
    {"ONNX_EXT_TYPE", "The external data are no regular file."},
    {"ONNX_NAME", "A name of the file has control characters, is no UTF-8 or is too long."},
    {"ONNX_NODE_LIMIT", "The file has more nodes, inputs or values than the server accepts."},
    {"ONNX_OP", "An operator or function of the file is one this server lacks."},
    {"ONNX_OVERFLOW", "The size of a tensor overflows."},
    {"ONNX_PARSE", "The file is truncated or is no ONNX file."},
    {"ONNX_RANGE", "A number of the file does not fit its type."},
    {"ONNX_SEGMENT", "The file has a tensor in segments, which this server lacks."},
    {"ONNX_SHAPE", "Shapes or types of the nodes do not fit each other."},
    {"ONNX_SIZE", "The file is larger than 2 GiB: save the weights as external data."},
    {"ONNX_SIZE_MISMATCH", "A tensor has more or fewer bytes than its shape needs."},
    {"ONNX_SPARSE", "The file has sparse tensors, which this server lacks."},
    {"ONNX_SSA", "A value of the file is computed twice."},
    {"ONNX_TENSOR_LIMIT", "A tensor is larger than the server accepts."},
    {"ONNX_TOTAL_SIZE", "The tensors of the file together are larger than the server accepts."},
    {"ONNX_TWO_DATA", "A tensor has its data in two fields."},
    {"ONNX_VERSION", "The file's ir_version or opset is out of range: export with another opset."},
    {"PT_ARCHIVE", "The archive lacks a member that torch.save writes, or is TorchScript."},
    {"PT_BOOL", "A boolean tensor has a byte that is neither 0 nor 1."},
    {"PT_CYCLE", "A value of the pickle contains itself."},
    {"PT_DEPTH", "Values of the pickle nest deeper than the server accepts."},
    {"PT_DTYPE", "A tensor has an element type this server lacks."},
    {"PT_FORMAT", "The file was not written by torch.save; the message says what it looks like."},
    {"PT_GLOBAL", "The pickle names code other than tensors; save model.state_dict() alone."},
    {"PT_KEYS", "Names or shapes of the weights do not fit model.textproto."},
    {"PT_LENGTH", "A text of the pickle is longer than the file or than the server accepts."},
    {"PT_LOCATION", "A tensor lies on a device other than cpu or cuda."},
    {"PT_MEMO", "The pickle refers to a value it does not have."},
    {"PT_NODE_LIMIT", "The pickle has more values than the server accepts."},
    {"PT_NOT_STATE_DICT",
     "The file holds something other than a state_dict: save "
     "model.state_dict() instead of the module."},
    {"PT_OPCODE", "The pickle has an instruction that no file of weights needs."},
    {"PT_PERSID", "A reference to a tensor's storage is malformed."},
    {"PT_SETITEM", "The pickle sets an item of something other than a dictionary."},
    {"PT_STACK", "The pickle's instructions do not fit its stack."},
    {"PT_STORAGE_SIZE", "A tensor's storage has another size than the file says."},
    {"PT_STRIDE", "A tensor's strides do not fit its storage."},
    {"PT_TOTAL_SIZE", "The tensors together are larger than the server accepts."},
    {"PT_TRAILING", "Bytes follow the end of the file's contents."},
    {"PT_TRUNCATED", "The file ends too early: copy it again."},
    {"ST_BOOL", "A boolean tensor has a byte that is neither 0 nor 1."},
    {"ST_DTYPE", "A tensor has an element type this server lacks."},
    {"ST_DUP_KEY", "A key of the header is given twice."},
    {"ST_DUP_NAME", "Two tensors have the same name."},
    {"ST_HEADER_DEPTH", "The header nests deeper than the server accepts."},
    {"ST_HEADER_JSON", "The header is not the JSON that safetensors has."},
    {"ST_HEADER_LENGTH", "The header is longer than the file."},
    {"ST_HEADER_TOO_LARGE", "The header is larger than the server accepts."},
    {"ST_HEADER_UTF8", "The header is no UTF-8."},
    {"ST_HOLE", "Bytes between tensors belong to none of them."},
    {"ST_METADATA", "The header's __metadata__ maps something other than strings to strings."},
    {"ST_MISALIGNED", "A tensor of packed elements ends within a byte."},
    {"ST_NAME", "A tensor has a name the server does not accept."},
    {"ST_OFFSET", "A tensor's offsets lie outside the file."},
    {"ST_OVERFLOW", "A size in the header overflows."},
    {"ST_OVERLAP", "Two tensors share bytes."},
    {"ST_RANK_LIMIT", "A tensor has more dimensions than the server accepts."},
    {"ST_SHAPE", "A shape in the header is malformed."},
    {"ST_SIZE", "A tensor's offsets do not fit its shape."},
    {"ST_TENSOR_COUNT", "The file has more tensors than the server accepts."},
    {"ST_TRAILING", "Bytes follow the last tensor."},
    {"ST_TRUNCATED", "The file ends too early: copy it again."},
    {"TRAIN_CHUNK", "A chunk of training rows has the wrong size, or came out of order."},
    {"TRAIN_DIVERGED", "The loss is no longer finite: use a smaller learning rate."},
    {"TRAIN_FEATURE",
     "A feature of the training data is not a finite number; the message has row "
     "and column."},
    {"TRAIN_LABEL",
     "A label of the training data is missing or not 0 or 1; the message has row "
     "and column."},
    {"TRAIN_PARAM", "A field of the training request has a bad value; the message names it."},
    {"TRAIN_SIGNATURE", "The model that serves has other features or labels: use another name."},
    {"TRAIN_STALLED", "The upload of training rows stopped: send it again."},
    {"ZIP_CRC", "A member of the archive does not match its checksum: copy the file again."},
    {"ZIP_ENTRY_LIMIT", "The archive has more members than the server accepts."},
    {"ZIP_METHOD", "A member of the archive is compressed in a way this server lacks."},
    {"ZIP_MISMATCH", "The two headers of a member of the archive differ."},
    {"ZIP_NAME", "A member of the archive has a name the server does not accept."},
    {"ZIP_OVERLAP", "Members of the archive share bytes."},
    {"ZIP_STRUCTURE", "The file is truncated or is no zip archive."},
};

}  // namespace

absl::Span<const ErrorToken> ErrorTokens() { return kTokens; }

absl::string_view TokenOf(absl::string_view message) {
  const absl::string_view start = message.substr(0, std::min(message.size(), message.find(": ")));
  if (start.size() == message.size()) return "";
  const auto* const found = std::lower_bound(
      std::begin(kTokens), std::end(kTokens), start,
      [](const ErrorToken& entry, absl::string_view token) { return entry.token < token; });
  return found != std::end(kTokens) && found->token == start ? found->token : "";
}

absl::Status Malformed(absl::string_view token, absl::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat(token, ": ", text));
}

absl::Status Unsupported(absl::string_view token, absl::string_view text) {
  return absl::UnimplementedError(absl::StrCat(token, ": ", text));
}

absl::Status WithSubject(const absl::Status& status, absl::string_view subject) {
  const absl::string_view token = TokenOf(status.message());
  if (token.empty()) return Annotate(status, subject);
  return {status.code(), absl::StrCat(token, ": ", subject, status.message().substr(token.size()))};
}

absl::Status WithToken(const absl::Status& status, absl::string_view token) {
  const size_t old = TokenOf(status.message()).size();
  return {status.code(), absl::StrCat(token, status.message().substr(old))};
}

}  // namespace sigserve
