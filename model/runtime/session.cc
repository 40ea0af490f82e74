#include "model/runtime/session.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/aligned_buffer.h"
#include "model/base/status_macros.h"
#include "model/runtime/executable_impl.h"
#include "model/runtime/memory_plan.h"

namespace sigserve {
namespace {

// All scratch memory of one session.
constexpr int64_t kMaxArenaBytes = int64_t{1} << 32;
// Batch sizes up to this are confirmed once and then served without inference.
constexpr int64_t kMaxConfirmedBatch = 65536;

int64_t BytesOf(const TensorType& type) {
  return type.shape.elements() * static_cast<int64_t>(SizeOf(type.dtype));
}

bool IsAligned(const TensorView& view) {
  return reinterpret_cast<uintptr_t>(view.data()) % SizeOf(view.dtype()) == 0;
}

bool Fits(const Shape& shape, const InputSignature& declared) {
  if (declared.any_rank) return shape.is_concrete();
  if (shape.rank() != declared.shape.rank()) return false;
  for (int d = 0; d < shape.rank(); ++d) {
    if (shape[d] < 0 || (declared.shape[d] != -1 && declared.shape[d] != shape[d])) return false;
  }
  return true;
}

}  // namespace

struct Session::Impl {
  explicit Impl(std::shared_ptr<const Executable> e)
      : executable(std::move(e)), program(executable->impl_->program) {}

  const Executable::Impl& compiled() const { return *executable->impl_; }
  absl::Status CheckInputs(absl::Span<const TensorView> inputs) const;
  absl::Status PrepareShapes(absl::Span<const TensorView> inputs);
  absl::Status Infer(absl::Span<const TensorView> inputs);
  absl::Status PlanArena(int64_t batch);
  bool HasShapes(absl::Span<const TensorView> inputs) const;
  bool IsConfirmed(int64_t batch) const;
  void Confirm(int64_t batch);
  void BindStorage();
  void BindInputs(absl::Span<const TensorView> inputs);
  TensorView ViewOf(ValueId id) const;

  /// A value's storage: constants have their own, inputs are the caller's, the rest is the arena.
  std::vector<Lifetime> Lifetimes() const;

  std::shared_ptr<const Executable> executable;
  const Program& program;

  // For the shapes of the last Run; empty before the first.
  bool ready = false;
  std::vector<TensorType> types;  // by value
  std::vector<int64_t> offsets;   // by value, into the arena
  std::vector<int64_t> copies;    // by input: offset of its copy in the arena, or -1
  int64_t capacity = 0;         // batch size that `offsets` were planned for; 0: these shapes only
  std::vector<bool> confirmed;  // by batch size
  AlignedBuffer arena;
  std::vector<AlignedBuffer> staging;  // by input: for data that is not aligned to its elements

  // Steps' arguments, one after another.
  std::vector<TensorView> in_views;
  std::vector<MutableTensorView> out_views;
  std::vector<TensorView> input_views;  // by input, as the steps see them
  std::vector<TensorView> outputs;
  std::vector<TensorView> logits;
};

absl::Status Session::Impl::CheckInputs(absl::Span<const TensorView> inputs) const {
  const std::vector<InputSignature>& declared = executable->signature().inputs;
  if (inputs.size() != declared.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("got ", inputs.size(), " inputs, the model has ", declared.size()));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].dtype() != declared[i].dtype) {
      return absl::InvalidArgumentError(absl::StrCat("input '", declared[i].name, "' is ",
                                                     Name(inputs[i].dtype()), ", expected ",
                                                     Name(declared[i].dtype)));
    }
    if (!Fits(inputs[i].shape(), declared[i])) {
      return absl::InvalidArgumentError(absl::StrCat(
          "input '", declared[i].name, "' has shape ", inputs[i].shape().ToString(), ", expected ",
          declared[i].any_rank ? "sizes >= 0" : declared[i].shape.ToString(),
          declared[i].any_rank ? "" : " (-1: any size)"));
    }
    if (!inputs[i].present()) {
      return absl::InvalidArgumentError(absl::StrCat("input '", declared[i].name, "' has no data"));
    }
  }
  return absl::OkStatus();
}

bool Session::Impl::HasShapes(absl::Span<const TensorView> inputs) const {
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ValueId id = program.graph().inputs()[i].value;
    if (inputs[i].shape() != types[static_cast<size_t>(id)].shape) return false;
  }
  return true;
}

bool Session::Impl::IsConfirmed(int64_t batch) const {
  return batch < static_cast<int64_t>(confirmed.size()) && confirmed[static_cast<size_t>(batch)];
}

void Session::Impl::Confirm(int64_t batch) {
  if (batch > kMaxConfirmedBatch) return;
  if (batch >= static_cast<int64_t>(confirmed.size())) {
    confirmed.resize(static_cast<size_t>(std::max<int64_t>(64, batch * 2)), false);
  }
  confirmed[static_cast<size_t>(batch)] = true;
}

std::vector<Lifetime> Session::Impl::Lifetimes() const {
  const Graph& graph = program.graph();
  const int end = static_cast<int>(program.steps().size());
  std::vector<Lifetime> lifetimes(static_cast<size_t>(program.value_count()));
  for (int s = 0; s < end; ++s) {
    const Step& step = program.steps()[static_cast<size_t>(s)];
    for (const ValueId id : step.outputs) {
      const auto at = static_cast<size_t>(id);
      lifetimes[at] = {s, s, BytesOf(types[at])};
    }
    for (const ValueId id : step.inputs) {
      if (id != kNoValue) lifetimes[static_cast<size_t>(id)].last = s;
    }
  }
  const auto keep = [&](ValueId id) {
    if (id != kNoValue) lifetimes[static_cast<size_t>(id)].last = end;
  };
  for (const ValueId id : graph.outputs()) keep(id);
  for (const ValueId id : compiled().logits) keep(id);
  // Inputs that are answers, too, are copied: the caller's data may be gone when they are read.
  for (size_t i = 0; i < graph.inputs().size(); ++i) {
    const ValueId id = graph.inputs()[i].value;
    lifetimes[static_cast<size_t>(id)] = {};
    if (copies[i] >= 0) {
      lifetimes[static_cast<size_t>(id)] = {0, end, BytesOf(types[static_cast<size_t>(id)])};
    }
  }
  return lifetimes;
}

absl::Status Session::Impl::PlanArena(int64_t batch) {
  const Graph& graph = program.graph();
  copies.assign(graph.inputs().size(), -1);
  for (size_t i = 0; i < copies.size(); ++i) {
    const ValueId id = graph.inputs()[i].value;
    const auto is = [id](ValueId other) { return other == id; };
    if (std::any_of(graph.outputs().begin(), graph.outputs().end(), is) ||
        std::any_of(compiled().logits.begin(), compiled().logits.end(), is)) {
      copies[i] = 0;
    }
  }
  MemoryPlan plan = PlanMemory(Lifetimes());
  if (plan.total_bytes > kMaxArenaBytes) {
    return absl::ResourceExhaustedError(absl::StrCat("running these shapes takes ",
                                                     plan.total_bytes, " bytes of memory; at most ",
                                                     kMaxArenaBytes, " are allowed"));
  }
  if (static_cast<size_t>(plan.total_bytes) > arena.size()) {
    arena = AlignedBuffer();
    arena = AlignedBuffer(static_cast<size_t>(plan.total_bytes));
  }
  offsets = std::move(plan.offsets);
  for (size_t i = 0; i < copies.size(); ++i) {
    if (copies[i] >= 0) copies[i] = offsets[static_cast<size_t>(graph.inputs()[i].value)];
  }
  capacity = batch;
  return absl::OkStatus();
}

absl::Status Session::Impl::Infer(absl::Span<const TensorView> inputs) {
  std::vector<TensorType> given;
  for (const TensorView& input : inputs) given.push_back({input.dtype(), input.shape()});
  return program.InferTypes(given, types);
}

/// Makes types, storage and views fit these inputs.
absl::Status Session::Impl::PrepareShapes(absl::Span<const TensorView> inputs) {
  if (ready && HasShapes(inputs)) return absl::OkStatus();
  ready = false;
  const BatchFamily& family = compiled().family;
  int64_t batch = 0;  // > 0: all inputs have this many rows, and the family knows the rest
  if (family.valid()) {
    batch = inputs[0].shape()[0];
    for (const TensorView& input : inputs) {
      if (input.shape()[0] != batch) batch = 0;
    }
  }
  if (batch == 0 || !IsConfirmed(batch)) {
    SIGSERVE_RETURN_IF_ERROR(Infer(inputs));
    bool as_expected = batch > 0 && batch <= kMaxConfirmedBatch;
    TensorType expected;
    for (int id = 0; as_expected && id < program.value_count(); ++id) {
      family.Evaluate(id, batch, expected);
      as_expected = expected == types[static_cast<size_t>(id)];
    }
    if (as_expected) {
      Confirm(batch);
    } else {
      batch = 0;
    }
  } else {
    for (int id = 0; id < program.value_count(); ++id) {
      family.Evaluate(id, batch, types[static_cast<size_t>(id)]);
    }
  }
  // No size shrinks as the batch grows: a plan for more rows serves fewer, too.
  if (batch == 0 || batch > capacity) {
    capacity = 0;
    SIGSERVE_RETURN_IF_ERROR(PlanArena(batch));
  }
  BindStorage();
  ready = true;
  return absl::OkStatus();
}

TensorView Session::Impl::ViewOf(ValueId id) const {
  const auto at = static_cast<size_t>(id);
  const Graph& graph = program.graph();
  if (at < graph.values().size() && graph.values()[at].constant != nullptr) {
    return graph.values()[at].constant->view();
  }
  const auto* base = static_cast<const std::byte*>(arena.data());
  return {types[at].dtype, types[at].shape, base + offsets[at]};
}

/// Views of everything but the caller's inputs.
void Session::Impl::BindStorage() {
  auto* base = static_cast<std::byte*>(arena.data());
  in_views.clear();
  out_views.clear();
  for (const Step& step : program.steps()) {
    for (const ValueId id : step.inputs) {
      in_views.push_back(id == kNoValue ? TensorView() : ViewOf(id));
    }
    for (const ValueId id : step.outputs) {
      const auto at = static_cast<size_t>(id);
      out_views.emplace_back(types[at].dtype, types[at].shape, base + offsets[at]);
    }
  }
  outputs.clear();
  logits.clear();
  for (size_t i = 0; i < program.graph().outputs().size(); ++i) {
    outputs.push_back(ViewOf(program.graph().outputs()[i]));
    const ValueId id = compiled().logits[i];
    // Shaped like the output, whatever nodes lie between.
    logits.push_back(id == kNoValue
                         ? TensorView()
                         : TensorView(outputs[i].dtype(), outputs[i].shape(), ViewOf(id).data()));
  }
}

void Session::Impl::BindInputs(absl::Span<const TensorView> inputs) {
  input_views.assign(inputs.begin(), inputs.end());
  staging.resize(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorView& input = inputs[i];
    const size_t bytes = static_cast<size_t>(input.elements()) * SizeOf(input.dtype());
    void* copy = nullptr;
    if (copies[i] >= 0) {
      copy = static_cast<std::byte*>(arena.data()) + copies[i];
    } else if (!IsAligned(input)) {
      if (staging[i].size() < bytes) staging[i] = AlignedBuffer(bytes);
      copy = staging[i].data();
    } else {
      continue;
    }
    if (bytes > 0) std::memcpy(copy, input.data(), bytes);
    input_views[i] = TensorView(input.dtype(), input.shape(), copy);
  }
  for (const InputUse& use : program.input_uses()) {
    in_views[static_cast<size_t>(use.argument)] = input_views[static_cast<size_t>(use.input)];
  }
}

Session::Session(std::shared_ptr<const Executable> executable)
    : impl_(std::make_unique<Impl>(std::move(executable))) {}
Session::~Session() = default;

absl::Status Session::Run(absl::Span<const TensorView> inputs) {
  Impl& impl = *impl_;
  SIGSERVE_RETURN_IF_ERROR(impl.CheckInputs(inputs));
  try {
    SIGSERVE_RETURN_IF_ERROR(impl.PrepareShapes(inputs));
    impl.BindInputs(inputs);
  } catch (const std::bad_alloc&) {
    impl.ready = false;
    impl.capacity = 0;
    return absl::ResourceExhaustedError("no memory left to run these shapes");
  }
  size_t in = 0;
  size_t out = 0;
  for (const Step& step : impl.program.steps()) {
    step.op->Forward(absl::MakeConstSpan(impl.in_views).subspan(in, step.inputs.size()),
                     absl::MakeConstSpan(impl.out_views).subspan(out, step.outputs.size()));
    in += step.inputs.size();
    out += step.outputs.size();
  }
  return absl::OkStatus();
}

TensorView Session::output(int i) const { return impl_->outputs[static_cast<size_t>(i)]; }

TensorView Session::logits(int i) const { return impl_->logits[static_cast<size_t>(i)]; }

size_t Session::memory_bytes() const {
  size_t bytes = impl_->arena.size();
  for (const AlignedBuffer& buffer : impl_->staging) bytes += buffer.size();
  return bytes;
}

}  // namespace sigserve
