// Hostile inputs 76 to 103: weights.pth with a valid architecture. Nothing of a pickle can run
// here: there is no interpreter.
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/robustness/hostile_input.h"
#include "tests/support/torch_builder.h"

namespace sigserve::robustness {
namespace {

using namespace testing_support;  // NOLINT(google-build-using-namespace): the builders' verbs

struct Case {
  std::string what;
  std::string file;
  absl::StatusCode code;
  std::string token;
};

void Add(const std::vector<Case>& cases, std::vector<HostileInput>* inputs) {
  for (const Case& c : cases) {
    inputs->push_back({c.what, Weights("weights.pth", c.file), c.code, c.token});
  }
}

/// A file whose pickle is `body`, with a record of two floats.
std::string Pickled(const std::string& body) {
  return TorchFile(Whole(body), std::string(8, '\0'));
}
/// A file of one tensor 'w' over that record.
std::string OneTensor(const std::string& tensor) { return Pickled(Dict({Text("w"), tensor})); }
std::string View(int64_t offset, std::initializer_list<int64_t> size,
                 std::initializer_list<int64_t> stride) {
  return OneTensor(TensorOf(Storage("0", 2), offset, size, stride));
}
std::string Poked(std::string file, size_t at, char byte) {
  file[at] = byte;
  return file;
}
std::string Repeat(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

void AddCalls(std::vector<HostileInput>* inputs) {
  std::vector<Case> cases = {
      {"76 os.system", Pickled(Global("os", "system") + Tuple({Text("touch canary")}) + "R"), kPd,
       "PT_GLOBAL: 'os.system' is not allowed"},
      {"76 as a bare pickle", "cos\nsystem\n(S'touch canary'\ntR.", kPd, "PT_GLOBAL: 'os.system'"},
      {"76 without arguments", Pickled(Global("os", "abort") + ")R"), kPd, "PT_GLOBAL: 'os.abort'"},
      {"76 within a state_dict",
       Pickled(Dict({Text("w"), Global("posix", "system") + Tuple({Text("x")}) + "R"})), kPd,
       "PT_GLOBAL: 'posix.system'"},
  };
  const std::pair<const char*, const char*> names[] = {
      {"builtins", "eval"},           {"__builtin__", "eval"},
      {"subprocess", "Popen"},        {"torch.hub", "load"},
      {"pkgutil", "resolve_name"},    {"nt", "system"},
      {"importlib", "import_module"}, {"torch", "load"},
      {"torch._utils", "_rebuild"},   {"collections", "OrderedDict.__init__"},
      {"torch.FloatStorage", ""},     {"numpy.core.multiarray", "_reconstruct"}};
  for (const auto& [module, name] : names) {
    const std::string shown = absl::StrCat(module, ".", name);
    cases.push_back({"77 " + shown, Pickled(Global(module, name) + Tuple({Text("1")}) + "R"), kPd,
                     absl::StrCat("PT_GLOBAL: '", shown, "' is not allowed")});
  }
  Add(cases, inputs);
}

void AddOpcodes(std::vector<HostileInput>* inputs) {
  const std::string dict = Global("collections", "OrderedDict") + ")R";
  std::vector<Case> cases = {
      {"78 BUILD on a dict", Pickled("}}b"), kUi, "PT_OPCODE"},
      {"78 BUILD on a tensor", OneTensor(TensorOf(Storage("0", 2), 0, {2}, {1}) + "}b"), kUi,
       "PT_OPCODE"},
      {"78 BUILD with a text", Pickled(dict + Text("x") + "b"), kUi, "PT_OPCODE"},
      {"79 SETITEM on a list", Pickled("]" + Text("k") + "Ns"), kIa, "PT_SETITEM"},
      {"79 SETITEM on a tensor", Pickled(TensorOf(Storage("0", 2), 0, {2}, {1}) + Text("k") + "Ns"),
       kIa, "PT_SETITEM"},
      {"80 APPEND on a dict", Pickled("}Na"), kIa, "PT_STACK"},
      {"80 POP on nothing", Pickled("0"), kIa, "PT_STACK"},
      {"80 TUPLE3 of one", Pickled("N\x87"), kIa, "PT_STACK"},
      {"80 below the mark", Pickled("NN(N\x87"), kIa, "PT_STACK"},
      {"80 no mark", Pickled("Nt"), kIa, "PT_STACK"},
      {"80 SETITEMS without a value", Pickled("}(Nu"), kIa, "PT_STACK"},
      {"80 two values left", Pickled("NN"), kIa, "PT_STACK"},
      {"80 an open mark", Pickled("N("), kIa, "PT_STACK"},
      {"81 GET unset", Pickled("h\x07"), kIa, "PT_MEMO"},
      {"81 LONG_BINGET unset", Pickled("j" + Raw<uint32_t>(~0U)), kIa, "PT_MEMO"},
      {"81 PUT 2^32-1", Pickled("Nr" + Raw<uint32_t>(~0U)), kIa, "PT_MEMO"},
      {"81 PUT of nothing", Pickled(std::string("q\0", 2)), kIa, "PT_STACK"},
      {"82 FRAME", Pickled("\x95" + Raw(uint64_t{1} << 63)), kIa, "PT_LENGTH"},
      {"82 BINUNICODE8", Pickled("\x8d" + Raw(uint64_t{1} << 63)), kIa, "PT_LENGTH"},
      {"82 BINUNICODE", Pickled("X" + Raw<uint32_t>(~0U)), kIa, "PT_LENGTH"},
      {"83 no STOP", TorchFile("\x80\x02}"), kIa, "PT_TRUNCATED"},
      {"83 cut within a number", TorchFile("\x80\x02J\x01"), kIa, "PT_TRUNCATED"},
      {"83 cut within a name",
       TorchFile("\x80\x02"
                 "cos\nsys"),
       kIa, "PT_TRUNCATED"},
      {"83 empty", TorchFile(""), kIa, "PT_TRUNCATED"},
      {"83 more after STOP", TorchFile(Whole("}") + "N"), kIa, "PT_TRAILING"},
      {"84 nested tuples", Pickled(")" + std::string(100'000, '\x85')), kIa, "PT_DEPTH"},
      {"84 a list in itself", Pickled(std::string("]q\0h\0a", 6)), kIa, "PT_CYCLE"},
      {"84 a dict in itself", Pickled(std::string("}q\0Nh\0s", 7)), kIa, "PT_CYCLE"},
      {"85 billion laughs", Pickled("N" + Repeat(std::string("q\0h\0\x86", 5), 30)), kRe,
       "PT_NODE_LIMIT"},
      {"85 many values", Pickled("(" + std::string(1'000'000, 'N') + "t"), kRe, "PT_NODE_LIMIT"},
      {"86 LONG4 of 256 MB", Pickled("\x8b" + Raw<uint32_t>(256U << 20)), kIa, "PT_LENGTH"},
      {"86 LONG1 of 9", Pickled("\x8a\x09" + std::string(9, '\1')), kIa, "PT_LENGTH"},
      {"a protocol of the future", TorchFile("\x80\x06}."), kUi, "PT_OPCODE"},
  };
  const std::pair<const char*, const char*> opcodes[] = {
      {"STACK_GLOBAL", "\x93"}, {"INST", "i"},    {"OBJ", "o"},           {"EXT1", "\x82"},
      {"EXT2", "\x83"},         {"EXT4", "\x84"}, {"NEWOBJ_EX", "\x92"},  {"NEWOBJ", "\x81"},
      {"PERSID", "P"},          {"DUP", "2"},     {"BYTEARRAY8", "\x96"}, {"ADDITEMS", "\x90"}};
  for (const auto& [name, opcode] : opcodes) {
    cases.push_back(
        {absl::StrCat("78 ", name), Pickled(absl::StrCat(opcode, "x\nx\n")), kUi, "PT_OPCODE"});
  }
  Add(cases, inputs);
}

void AddStoragesAndViews(std::vector<HostileInput>* inputs) {
  const auto persistent = [](const std::string& tuple) {
    return OneTensor(TensorOf(tuple + "Q", 0, {2}, {1}));
  };
  const std::string type = Global("torch", "FloatStorage");
  const auto of_type = [](const std::string& name) {
    return OneTensor(TensorOf(Storage("0", 2, name), 0, {2}, {1}));
  };
  std::string views;
  for (int i = 0; i < 10'000; ++i) {
    views += Text(absl::StrCat("w", i)) + std::string(i == 0 ? "" : "h\0", i == 0 ? 0 : 2);
    if (i == 0) views += TensorOf(Storage("0", 2), 0, {2}, {1}) + std::string("q\0", 2);
  }
  const std::string max(8, '\x7f');
  Add(
      {
          {"87 a module", persistent(Tuple({Text("module"), type, Text("0"), Text("cpu"), Int(2)})),
           kIa, "PT_PERSID"},
          {"87 four parts", persistent(Tuple({Text("storage"), type, Text("0"), Text("cpu")})), kIa,
           "PT_PERSID"},
          {"87 a path", OneTensor(TensorOf(Storage("../1", 2), 0, {2}, {1})), kIa, "PT_PERSID"},
          {"87 NUL", OneTensor(TensorOf(Storage(std::string("0\0", 2), 2), 0, {2}, {1})), kIa,
           "PT_PERSID"},
          {"87 no tuple", Pickled("NQ"), kIa, "PT_PERSID"},
          {"87 a type that is a function",
           persistent(Tuple({Text("storage"), Global("collections", "OrderedDict"), Text("0"),
                             Text("cpu"), Int(2)})),
           kIa, "PT_PERSID"},
          {"88 10^12 elements", OneTensor(TensorOf(Storage("0", 1'000'000'000'000), 0, {2}, {1})),
           kIa, "PT_STORAGE_SIZE"},
          {"88 2^63-1 elements", OneTensor(TensorOf(Storage("0", INT64_MAX), 0, {2}, {1})), kIa,
           "PT_STORAGE_SIZE"},
          {"88 -1 elements", OneTensor(TensorOf(Storage("0", -1), 0, {2}, {1})), kIa,
           "PT_STORAGE_SIZE"},
          {"88 no record", OneTensor(TensorOf(Storage("7", 2), 0, {2}, {1})), kIa,
           "PT_STORAGE_SIZE"},
          {"88 as another type", of_type("DoubleStorage"), kIa, "PT_STORAGE_SIZE"},
          {"89 offset outside", View(1, {2}, {1}), kIa, "PT_STRIDE: tensor 'w'"},
          {"89 negative offset", View(-1, {2}, {1}), kIa, "PT_STRIDE"},
          {"89 size outside", View(0, {3}, {1}), kIa, "PT_STRIDE"},
          {"89 stride outside", View(0, {2}, {2}), kIa, "PT_STRIDE"},
          {"89 negative stride", View(1, {2}, {-1}), kIa, "PT_STRIDE"},
          {"89 negative size", View(0, {-2}, {1}), kIa, "PT_STRIDE"},
          {"89 stride overflows", View(0, {2, 2}, {INT64_MAX, 1}), kIa, "PT_STRIDE"},
          {"89 size overflows", View(0, {INT64_MAX, INT64_MAX}, {0, 0}), kIa, "PT_STRIDE"},
          {"89 stride 0", View(0, {1'000'000}, {0}), kIa, "PT_STRIDE"},
          {"89 ranks differ", View(0, {2}, {1, 1}), kIa, "PT_STRIDE"},
          {"89 no storage", Pickled(Dict({Text("w"), TensorOf("N", 0, {1}, {1})})), kIa,
           "PT_STRIDE"},
          {"90 10,000 views", Pickled("}(" + views + "u"), kRe, "PT_TOTAL_SIZE"},
          {"91 complex", of_type("ComplexFloatStorage"), kUi, "PT_DTYPE"},
          {"91 quantized", of_type("QInt8Storage"), kUi, "PT_DTYPE"},
          {"91 uint8", of_type("ByteStorage"), kUi, "PT_DTYPE"},
          {"91 sparse", Pickled(Global("torch._utils", "_rebuild_sparse_tensor") + ")R"), kUi,
           "PT_DTYPE"},
          {"91 meta", Pickled(Global("torch._utils", "_rebuild_meta_tensor_no_storage") + ")R"),
           kUi, "PT_DTYPE"},
          {"91 a subclass", Pickled(Global("torch._tensor", "_rebuild_from_type_v2") + ")R"), kUi,
           "PT_DTYPE"},
          {"92 location of 1 MB",
           OneTensor(
               TensorOf(Storage("0", 2, "FloatStorage", std::string(1 << 20, 'c')), 0, {2}, {1})),
           kIa, "PT_LOCATION"},
          {"93 a module", Pickled(Global("torch.nn.modules.linear", "Linear") + ")\x81}b"), kIa,
           "PT_NOT_STATE_DICT"},
          {"93 a list", Pickled("]"), kIa, "PT_NOT_STATE_DICT: the file holds a list"},
          {"93 a number", Pickled("K\x05"), kIa, "PT_NOT_STATE_DICT"},
          {"93 a dictionary without tensors", Pickled(Dict({Text("epoch"), "K\x05"})), kIa,
           "PT_NOT_STATE_DICT: no dictionary of tensors in the file; its keys: 'epoch'"},
          {"93 a tensor and a number",
           Pickled(Dict({Text("w"), TensorOf(Storage("0", 2), 0, {2}, {1}), Text("n"), "K\x05"})),
           kIa, "PT_NOT_STATE_DICT: 'n' is a number"},
          {"94 a key that is a number",
           Pickled(Dict({"K\x01", TensorOf(Storage("0", 2), 0, {2}, {1})})), kIa, "PT_KEYS"},
          {"94 a key twice",
           Pickled(Dict({Text("w"), TensorOf(Storage("0", 2), 0, {2}, {1}) + std::string("q\0", 2),
                         Text("w"), std::string("h\0", 2)})),
           kIa, "PT_KEYS: tensor 'w' is there twice"},
          {"94 a key with a NUL",
           Pickled(Dict({Text(std::string("a\0b", 3)), TensorOf(Storage("0", 2), 0, {2}, {1})})),
           kIa, "PT_KEYS"},
          {"NaN",
           TorchFile(Whole(Dict({Text("w"), TensorOf(Storage("0", 2), 0, {2}, {1})})),
                     Raw(1.0F) + Raw(NAN)),
           kIa, "MODEL_NONFINITE: tensor 'w': element 1 is nan"},
      },
      inputs);
}

void AddArchives(std::vector<HostileInput>* inputs) {
  const std::string pickle = Whole(Dict({Text("w"), TensorOf(Storage("0", 2), 0, {2}, {1})}));
  const std::vector<Member> good = Archive(pickle, std::string(8, '\0'));
  const auto with = [&](Member member) {
    std::vector<Member> members = good;
    members.push_back(std::move(member));
    return Zip(members);
  };
  const auto changed = [&](auto change) {
    std::vector<Member> members = good;
    change(members);
    return Zip(members);
  };
  const std::string file = Zip(good);
  std::string end64 = file.substr(0, file.size() - 22);
  const auto at = static_cast<uint64_t>(end64.size());
  end64 += "PK\x06\x06" + Raw<uint64_t>(44) + Raw<uint32_t>(0) + Raw<uint64_t>(0) +
           Raw<uint64_t>(3) + Raw<uint64_t>(3) + Raw(~uint64_t{0}) + Raw(~uint64_t{0});
  end64 += "PK\x06\x07" + Raw<uint32_t>(0) + Raw(at) + Raw<uint32_t>(1);
  end64 += EndRecord(3, ~0U, ~0U);
  std::string many = EndRecord(0, 0, 0);
  many = "PK\x06\x06" + Raw<uint64_t>(44) + Raw<uint32_t>(0) + Raw<uint64_t>(0) +
         Raw<uint64_t>(1'000'000) + Raw<uint64_t>(1'000'000) + Raw<uint64_t>(0) + Raw<uint64_t>(0);
  many = "PK\x03\x04" + many + "PK\x06\x07" + Raw<uint32_t>(0) + Raw<uint64_t>(4) +
         Raw<uint32_t>(1) + EndRecord(0xFFFF, ~0U, ~0U);
  Add(
      {
          {"95 no end record", file.substr(0, file.size() - 22), kIa, "ZIP_STRUCTURE"},
          {"95 cut", file.substr(0, file.size() / 2), kIa, "ZIP_STRUCTURE"},
          {"95 two end records", file + file.substr(file.size() - 22), kIa, "ZIP_STRUCTURE"},
          {"95 a second archive before", file + file, kIa, "ZIP_STRUCTURE"},
          {"95 a comment", Zip(good, "comment"), kIa, "ZIP_STRUCTURE"},
          {"95 an end record in a comment", Zip(good, EndRecord(0, 0, 0)), kIa, "ZIP_STRUCTURE"},
          {"95 ZIP64 sizes of 2^64-1", end64, kIa, "ZIP_STRUCTURE"},
          {"95 something before", "PK\x03\x04" + file, kIa, "ZIP_STRUCTURE"},
          {"96 name", changed([](auto& m) { m[1].central_name = "m/data/1"; }), kIa,
           "ZIP_MISMATCH"},
          {"96 size", changed([](auto& m) { m[1].size = 4; }), kIa, "ZIP_MISMATCH"},
          {"96 flags", Poked(file, 6, 8), kIa, "ZIP_MISMATCH"},
          {"96 method", Poked(file, 8, 8), kIa, "ZIP_MISMATCH"},
          {"97 overlapping", changed([](auto& m) { m[1].offset = 40; }), kIa, "ZIP_OVERLAP"},
          {"97 the same bytes twice", changed([](auto& m) { m[1].offset = 0; }), kIa,
           "ZIP_OVERLAP"},
          {"97 longer than its room", changed([](auto& m) { m[1].size = 1'000'000; }), kIa,
           "ZIP_OVERLAP"},
          {"98 deflate", with({"m/data/1", "x", 8}), kUi, "ZIP_METHOD"},
          {"98 zstd", with({"m/data/1", "x", 93}), kUi, "ZIP_METHOD"},
          {"98 encrypted", with({"m/data/1", "x", 0, 1}), kUi, "ZIP_METHOD"},
          {"99 CRC", changed([](auto& m) { m[1].crc = 1; }), kIa, "ZIP_CRC: member 'm/data/0'"},
          {"100 twice", with({"m/data.pkl", "x"}), kIa, "ZIP_NAME"},
          {"100 twice, in capitals", with({"m/DATA.PKL", "x"}), kIa, "ZIP_NAME"},
          {"100 two top folders", with({"n/data/1", "x"}), kIa, "ZIP_NAME: two top folders"},
          {"100 no folder", with({"data", "x"}), kIa, "ZIP_NAME"},
          {"100 a path out", with({"m/../../x", "x"}), kIa, "ZIP_NAME"},
          {"100 absolute", with({"/m/x", "x"}), kIa, "ZIP_NAME"},
          {"100 backslash", with({"m\\x", "x"}), kIa, "ZIP_NAME"},
          {"100 a link", with({"m/x", "x", 0, 0, 0120777U << 16}), kIa, "ZIP_NAME"},
          {"101 a million members", many, kRe, "ZIP_ENTRY_LIMIT"},
          {"102 big endian", with({"m/byteorder", "big"}), kUi, "PT_ARCHIVE"},
          {"102 version 999", changed([](auto& m) { m[2].contents = "999"; }), kUi, "PT_ARCHIVE"},
          {"102 no version", changed([](auto& m) { m.pop_back(); }), kUi, "PT_ARCHIVE"},
          {"102 no data.pkl", changed([](auto& m) { m[0].name = "m/other"; }), kUi, "PT_ARCHIVE"},
          {"102 TorchScript", with({"m/code/x.py", "x", 8}), kUi, "PT_ARCHIVE: a TorchScript"},
          {"102 an empty archive", EndRecord(0, 0, 0), kUi, "PT_ARCHIVE"},
      },
      inputs);
}

void AddOtherFormats(std::vector<HostileInput>* inputs) {
  std::string tar(512, '\0');
  tar.replace(257, 5, "ustar");
  Add(
      {
          {"empty", "", kIa, "PT_TRUNCATED"},
          {"103 tar", tar, kUi,
           "PT_FORMAT: the file is no weights file of PyTorch; it looks like tar"},
          {"103 gzip", "\x1f\x8b\x08", kUi, "looks like gzip"},
          {"103 ELF",
           "\x7f"
           "ELF\x02",
           kUi, "looks like an ELF"},
          {"103 HTML", "<!DOCTYPE html><html>", kUi, "looks like an HTML page"},
          {"103 Git LFS", "version https://git-lfs.github.com/spec/v1\noid", kUi,
           "looks like a Git LFS pointer"},
          {"103 safetensors", std::string("\x10\0\0\0\0\0\0\0{\"a\"", 12), kUi,
           "looks like safetensors"},
          {"103 noise", "noise", kUi, "PT_FORMAT"},
          {"103 a bare pickle", Whole("}"), kUi, "PT_FORMAT: the file is a pickle"},
          {"103 a pickle of scikit-learn",
           "\x80\x04\x95\x20\x8c\x1asklearn.linear_model._logistic\x94\x8c\x12LogisticRegression",
           kUi,
           "PT_FORMAT: the file is a pickle of scikit-learn: convert the model to ONNX with "
           "skl2onnx"},
          {"103 a pickle of XGBoost", "\x80\x04\x95\x20\x8c\x0fxgboost.sklearn\x94", kUi,
           "PT_FORMAT: the file is a pickle of XGBoost: convert the model to ONNX with "
           "onnxmltools"},
      },
      inputs);
}

}  // namespace

std::vector<HostileInput> PickleInputs() {
  std::vector<HostileInput> inputs;
  AddCalls(&inputs);
  AddOpcodes(&inputs);
  AddStoragesAndViews(&inputs);
  return inputs;
}

std::vector<HostileInput> ArchiveInputs() {
  std::vector<HostileInput> inputs;
  AddArchives(&inputs);
  AddOtherFormats(&inputs);
  return inputs;
}

}  // namespace sigserve::robustness
