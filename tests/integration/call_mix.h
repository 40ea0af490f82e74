// What the tests of conservation send: requests whose every value is a number of its own, over
// several models and both APIs, with the exact answer known; and tallies of how they ended.
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

/// The methods that answer predictions, as the metrics name them.
enum class Method { kPredict, kModelInfer, kPredictStream, kModelStreamInfer };
constexpr int kMethods = 4;
std::string Name(Method method);

/// Models with answers that are exact: -x, 2x, and x with its columns in another order, the last
/// one wide enough for the compute threads. `kNobody` does not exist.
enum class Model { kNegated, kDoubled, kTurned, kNobody };
constexpr int kModels = 4;
std::string Name(Model model);
/// The ONNX file's bytes.
std::string ModelBytes(Model model);

/// Calm: every call is waited for. Wild: cancels, deadlines, lost connections. Told apart by what
/// the server counts by, so that one can be compared exactly while both share batches.
bool IsWild(Model model, Method method);

/// One request, from its number alone.
struct Ask {
  uint32_t number = 0;
  Model model = Model::kNegated;
  int64_t rows = 1;
  bool bad = false;  // one column too few

  /// Random but for its number.
  static Ask Random(uint32_t number, Method method, bool wild, std::mt19937& random);

  /// Row-major float32.
  std::string Input() const;
  std::string Answer() const;
  void Fill(v1::PredictRequest* request) const;
  void Fill(inference::ModelInferRequest* request) const;
  /// Whether the answer is this request's, bit for bit.
  bool IsAnsweredBy(const v1::PredictResponse& response) const;
  bool IsAnsweredBy(const inference::ModelInferResponse& response) const;
};

/// What became of the calls of one method and one model.
struct Tally {
  int64_t started = 0;
  std::map<std::string, int64_t> ended;  // by code, as the server said
  int64_t rows = 0;                      // of those that ended OK
  /// Ended by the client, or by a lost connection: what the server said, if anything, is unknown.
  int64_t unknown = 0;
  int64_t unknown_rows = 0;
};

class Tallies {
 public:
  void Started(const Ask& ask, Method method) { ++of(ask.model, method).started; }
  void Ended(const Ask& ask, Method method, int code);
  void Lost(const Ask& ask, Method method);
  void Add(const Tallies& other);
  Tally& of(Model model, Method method) { return tallies_[{model, method}]; }

  /// Answers that were another request's, or none of any; not to happen.
  int64_t wrong = 0;

 private:
  std::map<std::pair<Model, Method>, Tally> tallies_;
};

/// "OK", "NOT_FOUND": a gRPC code as the metrics name it.
std::string CodeName(int code);

}  // namespace sigserve::testing_support
