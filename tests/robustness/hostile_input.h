// Files made to break a model server, numbered as in the list of hostile inputs (1 to
// 103), with what each must be told. Built here, byte by byte.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace sigserve::robustness {

/// Name within the version's folder, and contents.
using Files = std::vector<std::pair<std::string, std::string>>;

struct HostileInput {
  std::string what;  // starts with its number; others than those of the list have none
  Files files;
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;  // kOk: it loads
  std::string token = {};                                      // and what follows it
  std::string config = {};                                     // config.pbtxt of the model
  /// What files cannot express: links, FIFOs. Gets the version's folder.
  std::function<void(const std::string& folder)> arrange = nullptr;
};

inline constexpr auto kIa = absl::StatusCode::kInvalidArgument;
inline constexpr auto kUi = absl::StatusCode::kUnimplemented;
inline constexpr auto kPd = absl::StatusCode::kPermissionDenied;
inline constexpr auto kRe = absl::StatusCode::kResourceExhausted;

std::vector<HostileInput> SafetensorsInputs();  // 1 to 31
std::vector<HostileInput> OnnxFileInputs();     // 32 to 49, 75
std::vector<HostileInput> ExternalInputs();     // 50 to 59
std::vector<HostileInput> OnnxGraphInputs();    // 60 to 74
std::vector<HostileInput> PickleInputs();       // 76 to 94
std::vector<HostileInput> ArchiveInputs();      // 95 to 103

/// A folder with weights in this file: `architecture` is Linear(2, 1) without bias.
Files Weights(const std::string& file, const std::string& bytes);

}  // namespace sigserve::robustness
