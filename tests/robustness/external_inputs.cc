// Hostile inputs 50 to 59: model.onnx with data in other files.
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/robustness/hostile_input.h"
#include "tests/robustness/onnx_files.h"

namespace sigserve::robustness {
namespace {

using onnx::TensorProto;
using testing_support::AddNode;
using Keys = std::vector<std::pair<std::string, std::string>>;

void MakeExternal(const Keys& keys, TensorProto* tensor) {
  tensor->clear_float_data();
  tensor->set_data_location(TensorProto::EXTERNAL);
  for (const auto& [key, value] : keys) {
    onnx::StringStringEntryProto& entry = *tensor->add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }
}

/// The good model with its weight, 8 bytes, where the keys say.
std::string Model(const Keys& keys) {
  return Spoilt([&](M& m) { MakeExternal(keys, m.mutable_graph()->mutable_initializer(0)); });
}

/// With w.bin in the same folder.
Files Beside(std::string model) {
  return {{"model.onnx", std::move(model)}, {"w.bin", std::string(8, '\0')}};
}

/// An external tensor at a place outside, put into the model by `put`.
template <typename Put>
std::string Elsewhere(const Put& put) {
  TensorProto tensor;
  tensor.set_name("t");
  tensor.set_data_type(TensorProto::FLOAT);
  tensor.add_dims(2);
  MakeExternal({{"location", "../../etc/passwd"}}, &tensor);
  return Spoilt([&](M& m) { put(m, tensor); });
}

onnx::AttributeProto& AddAttribute(M& m, const std::string& name, int type) {
  onnx::AttributeProto& attribute = *AddNode(m, "Constant", {}, {"c"}).add_attribute();
  attribute.set_name(name);
  attribute.set_type(static_cast<onnx::AttributeProto::AttributeType>(type));
  return attribute;
}

void Require(int result) {
  if (result != 0) throw std::runtime_error(absl::StrCat("errno ", errno));
}

}  // namespace

std::vector<HostileInput> ExternalInputs() {
  std::vector<HostileInput> inputs;
  const auto add = [&](const std::string& what, const Keys& keys, absl::StatusCode code,
                       const std::string& token) {
    inputs.push_back({what, Beside(Model(keys)), code, token});
  };
  constexpr auto kOk = absl::StatusCode::kOk;
  add("a file next to the model", {{"location", "w.bin"}}, kOk, "");
  add("with all keys",
      {{"location", "./w.bin"},
       {"offset", "0"},
       {"length", "8"},
       {"checksum", "05fe405753166f125559e7c9ac558654f107c7e9"}},
      kOk, "");
  for (const char* location : {"../../etc/passwd", "..", "a/../../w.bin", "a/.."}) {
    add(absl::StrCat("50 ", location), {{"location", location}}, kPd,
        "ONNX_EXT_PATH: tensor 'w': location ");
  }
  for (const char* location : {"/etc/passwd", "C:\\x", "c:/x", "a\\b", "file:///x", "file:x",
                               "http://169.254.169.254/", "s3://bucket/w", ".", "a\xff"}) {
    add(absl::StrCat("51 ", absl::CHexEscape(location)), {{"location", location}}, kPd,
        "ONNX_EXT_PATH");
  }
  add("51 NUL", {{"location", std::string("w.bin\0x", 7)}}, kPd, "ONNX_EXT_PATH");
  add("51 none", {{"location", ""}}, kPd, "ONNX_EXT_PATH");

  const auto arranged = [&](const std::string& what, const std::string& location,
                            const std::string& token, auto arrange) {
    inputs.push_back({what, Beside(Model({{"location", location}})), kPd, token, "", arrange});
  };
  arranged("52 a link", "link", "ONNX_EXT_LINK", [](const std::string& folder) {
    Require(symlink((folder + "/w.bin").c_str(), (folder + "/link").c_str()));
  });
  arranged("52 a link to nothing", "link", "ONNX_EXT_LINK", [](const std::string& folder) {
    Require(symlink("nowhere", (folder + "/link").c_str()));
  });
  arranged("52 a directory that is a link", "way/w.bin", "ONNX_EXT_LINK",
           [](const std::string& folder) {
             Require(symlink(folder.c_str(), (folder + "/way").c_str()));
           });
  arranged("52 a file of two names", "w.bin", "ONNX_EXT_LINK", [](const std::string& folder) {
    Require(link((folder + "/w.bin").c_str(), (folder + "/other").c_str()));
  });
  arranged("53 a FIFO", "fifo", "ONNX_EXT_TYPE",
           [](const std::string& folder) { Require(mkfifo((folder + "/fifo").c_str(), 0600)); });
  arranged("53 a directory", "deep", "ONNX_EXT_TYPE",
           [](const std::string& folder) { Require(mkdir((folder + "/deep").c_str(), 0700)); });
  arranged("53 /dev/zero", "zero", "ONNX_EXT_LINK", [](const std::string& folder) {
    Require(symlink("/dev/zero", (folder + "/zero").c_str()));
  });
  arranged("53 /proc/self/mem", "mem", "ONNX_EXT_LINK", [](const std::string& folder) {
    Require(symlink("/proc/self/mem", (folder + "/mem").c_str()));
  });
  add("a file that is not there", {{"location", "x.bin"}}, kIa, "ONNX_EXT_MISSING");

  const std::pair<const char*, const char*> ranges[] = {
      {"offset", "-1"},  {"offset", "9"},  {"offset", "1"}, {"offset", "99999999999999999999"},
      {"length", "-1"},  {"length", "9"},  {"length", "x"}, {"length", "1125899906842624"},
      {"offset", "0x1"}, {"offset", " 1"}, {"length", ""},  {"offset", "9223372036854775807"}};
  for (const auto& [key, value] : ranges) {
    add(absl::StrCat("55 ", key, " '", value, "'"), {{"location", "w.bin"}, {key, value}}, kIa,
        "ONNX_EXT_RANGE");
  }
  add("55 less than the shape needs", {{"location", "w.bin"}, {"length", "4"}}, kIa,
      "ONNX_SIZE_MISMATCH");
  for (const char* key : {"__class__", "basepath", "Location", ""}) {
    add(absl::StrCat("56 key '", key, "'"), {{"location", "w.bin"}, {key, "1"}}, kIa,
        "ONNX_EXT_KEY");
  }
  add("56 a key twice", {{"location", "w.bin"}, {"location", "w.bin"}}, kIa, "ONNX_EXT_KEY");
  add("56 no location", {{"offset", "0"}}, kIa, "ONNX_EXT_KEY");
  add("57 another checksum", {{"location", "w.bin"}, {"checksum", std::string(40, '0')}}, kIa,
      "ONNX_EXT_HASH");
  add("57 no checksum at all", {{"location", "w.bin"}, {"checksum", "x"}}, kIa, "ONNX_EXT_HASH");

  const auto hidden = [&](const std::string& what, std::string model) {
    inputs.push_back({what, {{"model.onnx", std::move(model)}}, kPd, "ONNX_EXT_PATH: tensor 't'"});
  };
  using onnx::AttributeProto;
  hidden("58 an attribute", Elsewhere([](M& m, const TensorProto& t) {
           *AddAttribute(m, "value", AttributeProto::TENSOR).mutable_t() = t;
         }));
  hidden("58 sparse_value", Elsewhere([](M& m, const TensorProto& t) {
           *AddAttribute(m, "sparse_value", AttributeProto::SPARSE_TENSOR)
                .mutable_sparse_tensor()
                ->mutable_values() = t;
         }));
  hidden("58 a sparse initializer", Elsewhere([](M& m, const TensorProto& t) {
           *m.mutable_graph()->add_sparse_initializer()->mutable_indices() = t;
         }));
  hidden("58 a subgraph", Elsewhere([](M& m, const TensorProto& t) {
           *AddAttribute(m, "body", AttributeProto::GRAPH).mutable_g()->add_initializer() = t;
         }));
  hidden("58 a function", Elsewhere([](M& m, const TensorProto& t) {
           AttributeProto& attribute = *m.add_functions()->add_node()->add_attribute();
           *attribute.mutable_t() = t;
         }));

  const std::string shared(160'000, '\0');
  const std::string many = Spoilt([&](M& m) {
    for (int i = 0; i < 10'000; ++i) {
      MakeExternal({{"location", "w.bin"}},
                   &AddTensor(m, absl::StrCat("t", i), TensorProto::FLOAT, {40'000}));
    }
  });
  inputs.push_back({"59 10,000 tensors on one range",
                    {{"model.onnx", many}, {"w.bin", shared}},
                    kRe,
                    "ONNX_TOTAL_SIZE"});
  return inputs;
}

}  // namespace sigserve::robustness
