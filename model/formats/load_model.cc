#include "model/formats/load_model.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"
#include "model/base/utf8.h"
#include "model/formats/architecture/architecture.h"
#include "model/formats/onnx/onnx_reader.h"
#include "model/formats/safetensors/safetensors.h"
#include "model/formats/torch_state_dict/torch_state_dict.h"

namespace sigserve {
namespace {

constexpr absl::string_view kWeightsFiles[] = {"weights.safetensors", "weights.pth", "weights.pt"};

absl::StatusOr<NamedTensors> ReadWeights(FileSystem* files, const std::string& path) {
  SIGSERVE_ASSIGN_OR_RETURN(const std::string bytes, files->ReadFile(path, kMaxModelBytes));
  auto weights =
      absl::EndsWith(path, ".safetensors") ? ReadSafetensors(bytes) : ReadTorchStateDict(bytes);
  if (!weights.ok()) return Annotate(weights.status(), path);
  return weights;
}

absl::StatusOr<Graph> ReadOnnxFile(FileSystem* files, const std::string& directory,
                                   const std::string& path) {
  SIGSERVE_ASSIGN_OR_RETURN(const std::string bytes, files->ReadFile(path, kMaxModelBytes));
  auto graph = ReadOnnx(bytes, files, directory);
  if (!graph.ok()) return Annotate(graph.status(), path);
  return graph;
}

/// The files of a directory without a model, and what to do about them.
std::string WhatIsThere(const std::vector<DirectoryEntry>& entries,
                        absl::string_view model_filename) {
  constexpr size_t kMaxListed = 5;
  constexpr absl::string_view kOtherModels[] = {".pkl", ".pickle", ".joblib", ".bst",
                                                ".ubj", ".cbm",    ".model"};
  std::vector<std::string> names;
  absl::string_view advice;
  std::string rename;
  for (const DirectoryEntry& entry : entries) {
    if (entry.is_directory || absl::StartsWith(entry.name, ".")) continue;
    names.push_back(EscapeInvalidUtf8(entry.name));
    const auto ends = [&](absl::string_view ending) { return absl::EndsWith(entry.name, ending); };
    if (ends(".onnx")) {
      rename = absl::StrCat("rename it to ", model_filename,
                            ", or set default_model_filename in config.pbtxt");
      advice = rename;
    } else if (advice.empty() &&
               std::any_of(std::begin(kOtherModels), std::end(kOtherModels), ends)) {
      advice = "convert the model to ONNX, for example with skl2onnx or onnxmltools";
    } else if (advice.empty() && (ends(".pth") || ends(".pt") || ends(".safetensors"))) {
      advice = "weights need a description of their layers in model.textproto";
    }
  }
  if (names.empty()) return "the directory is empty";
  const size_t more = names.size() > kMaxListed ? names.size() - kMaxListed : 0;
  names.resize(names.size() - more);
  return absl::StrCat("the directory has ", absl::StrJoin(names, ", "),
                      more > 0 ? absl::StrCat(" and ", more, " more") : "",
                      advice.empty() ? "" : ": ", advice);
}

}  // namespace

absl::StatusOr<Graph> LoadModel(FileSystem* files, const std::string& version_directory,
                                const std::string& model_filename) {
  const std::string model = absl::StrCat(version_directory, "/", model_filename);
  const std::string architecture = absl::StrCat(version_directory, "/", kArchitectureFile);
  SIGSERVE_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> entries,
                            files->List(version_directory));
  const auto has = [&](absl::string_view name) {
    return std::any_of(entries.begin(), entries.end(),
                       [&](const DirectoryEntry& entry) { return entry.name == name; });
  };
  // A config may also name the architecture as the model file.
  if (has(model_filename) && model_filename != kArchitectureFile) {
    return ReadOnnxFile(files, version_directory, model);
  }
  if (!has(kArchitectureFile)) {
    return absl::NotFoundError(absl::StrCat(model, ": not found, nor is there a ",
                                            kArchitectureFile, "; ",
                                            WhatIsThere(entries, model_filename)));
  }
  std::vector<absl::string_view> weights_files;
  for (const absl::string_view name : kWeightsFiles) {
    if (has(name)) weights_files.push_back(name);
  }
  if (weights_files.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(architecture, ": needs one file of weights next to it (",
                     absl::StrJoin(kWeightsFiles, ", "), "), has ",
                     weights_files.empty() ? "none" : absl::StrJoin(weights_files, " and ")));
  }
  SIGSERVE_ASSIGN_OR_RETURN(const std::string text,
                            files->ReadFile(architecture, kMaxArchitectureBytes));
  SIGSERVE_ASSIGN_OR_RETURN(
      NamedTensors weights,
      ReadWeights(files, absl::StrCat(version_directory, "/", weights_files[0])));
  auto graph = BuildFromArchitecture(text, std::move(weights));
  if (!graph.ok()) return Annotate(graph.status(), architecture);
  return graph;
}

}  // namespace sigserve
