#include "tests/integration/call_mix.h"

#include <cstring>
#include <vector>

#include "absl/status/status.h"
#include "onnx/onnx.pb.h"

namespace sigserve::testing_support {
namespace {

constexpr int64_t kColumns = 4;
constexpr int64_t kWideColumns = 256;

int64_t Columns(Model model) { return model == Model::kPermuted ? kWideColumns : kColumns; }

/// Column j of the answer is this column of the input.
int64_t PermutedFrom(int64_t j) { return (j * 101 + 37) % kWideColumns; }

/// Integers below 2^24, which float32 holds exactly. All rows of all requests differ: the first two
/// columns hold the request's number and the row's.
float Value(uint32_t number, int64_t row, int64_t column) {
  if (column == 0) return static_cast<float>(number % (1U << 24));
  if (column == 1) return static_cast<float>(row);
  return static_cast<float>((number * 31ULL + static_cast<uint64_t>(row * 257 + column * 7919)) %
                            (1U << 24));
}

std::string Bytes(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

// Strings, because g++ 12 warns about one-letter literals (GCC bug 105651).
const std::string kX = "x";
const std::string kY = "y";
const std::string kW = "w";

void SetType(int64_t columns, const std::string& name, onnx::ValueInfoProto* info) {
  info->set_name(name);
  auto* type = info->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  type->mutable_shape()->add_dim()->set_dim_param("N");
  type->mutable_shape()->add_dim()->set_dim_value(columns);
}

}  // namespace

std::string Name(Method method) {
  constexpr const char* kNames[] = {"Predict", "ModelInfer", "PredictStream", "ModelStreamInfer"};
  return kNames[static_cast<int>(method)];
}

std::string Name(Model model) {
  constexpr const char* kNames[] = {"negated", "doubled", "permuted", "missing"};
  return kNames[static_cast<int>(model)];
}

std::string ModelBytes(Model model) {
  onnx::ModelProto proto;
  proto.set_ir_version(7);
  proto.add_opset_import()->set_version(13);
  onnx::GraphProto& graph = *proto.mutable_graph();
  graph.set_name(Name(model));
  SetType(Columns(model), kX, graph.add_input());
  SetType(Columns(model), kY, graph.add_output());
  onnx::NodeProto& node = *graph.add_node();
  node.add_input(kX);
  node.add_output(kY);
  if (model == Model::kNegated) node.set_op_type("Neg");
  if (model == Model::kDoubled) {
    node.set_op_type("Add");
    node.add_input(kX);
  }
  if (model == Model::kPermuted) {
    node.set_op_type("MatMul");
    node.add_input(kW);
    onnx::TensorProto& weights = *graph.add_initializer();
    weights.set_name(kW);
    weights.set_data_type(onnx::TensorProto::FLOAT);
    weights.add_dims(kWideColumns);
    weights.add_dims(kWideColumns);
    std::vector<float> values(kWideColumns * kWideColumns);
    for (int64_t j = 0; j < kWideColumns; ++j) {
      values[static_cast<size_t>(PermutedFrom(j) * kWideColumns + j)] = 1;
    }
    weights.set_raw_data(Bytes(values));
  }
  return proto.SerializeAsString();
}

bool IsWild(Model model, Method method) {
  return model != Model::kNegated && (static_cast<int>(model) + static_cast<int>(method)) % 2 == 1;
}

NumberedRequest NumberedRequest::Random(uint32_t number, Method method, bool wild,
                                        std::mt19937& random) {
  NumberedRequest sent;
  sent.number = number;
  const uint32_t kind = random() % 100;
  do {
    sent.model = static_cast<Model>(random() % 3);
  } while (IsWild(sent.model, method) != wild);
  if (kind < 2 && IsWild(Model::kMissing, method) == wild) sent.model = Model::kMissing;
  sent.bad = kind == 99;
  sent.rows = 1 + random() % 4;
  if (kind >= 90) sent.rows = 1 + random() % (sent.model == Model::kPermuted ? 200 : 64);
  return sent;
}

std::string NumberedRequest::Input() const {
  std::vector<float> values;
  const int64_t columns = Columns(model) - (bad ? 1 : 0);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t j = 0; j < columns; ++j) values.push_back(Value(number, row, j));
  }
  return Bytes(values);
}

std::string NumberedRequest::Answer() const {
  std::vector<float> values;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t j = 0; j < Columns(model); ++j) {
      if (model == Model::kNegated) values.push_back(-Value(number, row, j));
      if (model == Model::kDoubled) values.push_back(2 * Value(number, row, j));
      if (model == Model::kPermuted) values.push_back(Value(number, row, PermutedFrom(j)));
    }
  }
  return Bytes(values);
}

void NumberedRequest::Fill(v1::PredictRequest* request) const {
  request->mutable_model()->set_name(Name(model));
  if (!bad && number % 2 == 0) {
    request->set_matrix(Input());
    return;
  }
  v1::Tensor* x = request->add_inputs();
  x->add_shape(rows);
  x->add_shape(Columns(model) - (bad ? 1 : 0));
  const std::string bytes = Input();
  x->mutable_float_values()->Resize(static_cast<int>(bytes.size() / sizeof(float)), 0);
  std::memcpy(x->mutable_float_values()->mutable_data(), bytes.data(), bytes.size());
}

void NumberedRequest::Fill(inference::ModelInferRequest* request) const {
  request->set_model_name(Name(model));
  request->set_id(std::to_string(number));
  auto* x = request->add_inputs();
  x->set_name("x");
  x->set_datatype("FP32");
  x->add_shape(rows);
  x->add_shape(Columns(model) - (bad ? 1 : 0));
  request->add_raw_input_contents(Input());
}

bool NumberedRequest::IsAnsweredBy(const v1::PredictResponse& response) const {
  if (response.model_name() != Name(model) || response.outputs_size() != 1) return false;
  const auto& values = response.outputs(0).probabilities();
  return Bytes({values.begin(), values.end()}) == Answer();
}

bool NumberedRequest::IsAnsweredBy(const inference::ModelInferResponse& response) const {
  return response.model_name() == Name(model) && response.id() == std::to_string(number) &&
         response.raw_output_contents_size() == 1 && response.raw_output_contents(0) == Answer();
}

void Tallies::Ended(const NumberedRequest& sent, Method method, int code) {
  Tally& tally = of(sent.model, method);
  ++tally.ended[CodeName(code)];
  if (code == 0) tally.rows += sent.rows;
}

void Tallies::Lost(const NumberedRequest& sent, Method method) {
  Tally& tally = of(sent.model, method);
  ++tally.unknown;
  tally.unknown_rows += sent.rows;
}

void Tallies::Add(const Tallies& other) {
  wrong += other.wrong;
  for (const auto& [key, tally] : other.tallies_) {
    Tally& sum = tallies_[key];
    sum.started += tally.started;
    for (const auto& [code, count] : tally.ended) sum.ended[code] += count;
    sum.rows += tally.rows;
    sum.unknown += tally.unknown;
    sum.unknown_rows += tally.unknown_rows;
  }
}

std::string CodeName(int code) {
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
}

}  // namespace sigserve::testing_support
