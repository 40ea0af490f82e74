// The requests of conservation_test: over several models and both APIs, each with distinct values
// and an exact expected answer; and counts of how they ended.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "inference/grpc_service.pb.h"
#include "sigserve/v1/prediction.pb.h"

namespace sigserve::testing_support {

/// The prediction methods, with the names that the metrics use.
enum class Method { kPredict, kModelInfer, kPredictStream, kModelStreamInfer };
constexpr int kMethods = 4;
std::string Name(Method method);

/// Models with exact answers: -x, 2x, and x with permuted columns; the last one is heavy enough for
/// the compute threads. `kMissing` does not exist.
enum class Model { kNegated, kDoubled, kPermuted, kMissing };
constexpr int kModels = 4;
std::string Name(Model model);
/// The ONNX file's bytes.
std::string ModelBytes(Model model);

/// Calm calls run to their end. Wild ones are cancelled, have short deadlines or lose their
/// connection. A (model, method) pair is one or the other, because the server counts by that pair:
/// calm pairs can then be compared exactly, although calm and wild requests share batches.
bool IsWild(Model model, Method method);

/// A request whose contents follow from its number.
struct NumberedRequest {
  uint32_t number = 0;
  Model model = Model::kNegated;
  int64_t rows = 1;
  bool bad = false;  // one column is missing

  /// Everything but the number is random.
  static NumberedRequest Random(uint32_t number, Method method, bool wild, std::mt19937& random);

  /// Row-major float32.
  std::string Input() const;
  std::string Answer() const;
  void Fill(v1::PredictRequest* request) const;
  void Fill(inference::ModelInferRequest* request) const;
  /// Whether the answer is this request's, bit for bit.
  bool IsAnsweredBy(const v1::PredictResponse& response) const;
  bool IsAnsweredBy(const inference::ModelInferResponse& response) const;
};

/// How the calls of one method to one model ended.
struct Tally {
  int64_t started = 0;
  std::map<std::string, int64_t> ended;  // by the server's code
  int64_t rows = 0;                      // of calls that ended OK
  /// Ended by the client or by a lost connection: the server's result, if any, is unknown.
  int64_t unknown = 0;
  int64_t unknown_rows = 0;
};

class Tallies {
 public:
  void Started(const NumberedRequest& sent, Method method) { ++of(sent.model, method).started; }
  void Ended(const NumberedRequest& sent, Method method, int code);
  void Lost(const NumberedRequest& sent, Method method);
  void Add(const Tallies& other);
  Tally& of(Model model, Method method) { return tallies_[{model, method}]; }

  /// Answers that belong to another request or to none. Must stay 0.
  int64_t wrong = 0;

 private:
  std::map<std::pair<Model, Method>, Tally> tallies_;
};

/// "OK", "NOT_FOUND": a gRPC code as the metrics name it.
std::string CodeName(int code);

}  // namespace sigserve::testing_support
