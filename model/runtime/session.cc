#include "model/runtime/session.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
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
// Sets of shapes that stay bound side by side: as many, or fewer for models of many steps.
constexpr size_t kMaxSlots = 64;
constexpr size_t kMaxBoundViews = 16384;

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

// Where an input of the graph is read: `argument` counts the inputs of all steps in order.
struct InputUse {
  int argument = 0;
  int input = 0;
};

// A result that is an input unchanged.
struct InputResult {
  size_t output = 0;
  bool logits = false;  // of that output, else the output itself
  size_t input = 0;
};

// Everything that running one set of input shapes needs. Its pointers go into one arena.
struct BoundShapes {
  struct BoundStep {
    const Op* op = nullptr;
    absl::Span<const TensorView> in;
    absl::Span<const MutableTensorView> out;
    Workspace workspace;
  };
  int arena = 0;  // which; 0: nothing is bound
  std::vector<TensorType> inputs;
  // Steps' arguments, one after another.
  std::vector<TensorView> in_views;
  std::vector<MutableTensorView> out_views;
  std::vector<BoundStep> steps;  // without those that have nothing to do
  std::vector<TensorView> outputs;
  std::vector<TensorView> logits;
};

struct Session::Impl {
  explicit Impl(std::shared_ptr<const Executable> e);

  const Executable::Impl& compiled() const { return *executable->impl_; }
  ValueId OwnerOf(ValueId id) const { return compiled().aliases.owner(id); }
  bool IsBound(const BoundShapes& shapes, absl::Span<const TensorView> inputs) const;
  BoundShapes& SlotOf(absl::Span<const TensorView> inputs);
  absl::Status CheckInputs(absl::Span<const TensorView> inputs) const;
  absl::Status Bind(absl::Span<const TensorView> inputs, BoundShapes& shapes);
  absl::Status Infer(absl::Span<const TensorView> inputs);
  absl::Status PlanArena(int64_t batch);
  bool IsConfirmed(int64_t batch) const;
  void Confirm(int64_t batch);
  void BindStorage(BoundShapes& shapes);
  void BindInputs(absl::Span<const TensorView> inputs, BoundShapes& shapes);
  TensorView ViewOf(ValueId id) const;

  /// Storage of the values, then of the steps' workspaces. Constants have their own, inputs are the
  /// caller's, the rest is the arena.
  std::vector<Lifetime> Lifetimes() const;
  int64_t WorkspaceBytes(const Step& step) const;

  std::shared_ptr<const Executable> executable;
  const Program& program;
  std::vector<InputUse> input_uses;
  std::vector<InputResult> input_results;

  std::vector<BoundShapes> slots;
  BoundShapes* current = nullptr;  // of the last Run; null before the first

  // Of the shapes that were bound last.
  std::vector<TensorType> types;  // by value
  std::vector<int64_t> offsets;   // by value, then by step (its workspace), into the arena
  int64_t capacity = 0;         // batch size that `offsets` were planned for; 0: these shapes only
  std::vector<bool> confirmed;  // by batch size
  AlignedBuffer arena;
  int arena_number = 1;
  std::vector<AlignedBuffer> staging;  // by input: for data that is not aligned to its elements
};

Session::Impl::Impl(std::shared_ptr<const Executable> e)
    : executable(std::move(e)), program(executable->impl_->program) {
  const auto& inputs = program.graph().inputs();
  staging.resize(inputs.size());
  size_t outs = 0;
  int argument = 0;
  for (const Step& step : program.steps()) {
    outs += step.outputs.size();
    for (const ValueId id : step.inputs) {
      for (size_t i = 0; id != kNoValue && i < inputs.size(); ++i) {
        if (OwnerOf(id) == inputs[i].value) input_uses.push_back({argument, static_cast<int>(i)});
      }
      ++argument;
    }
  }
  for (size_t o = 0; o < program.graph().outputs().size(); ++o) {
    for (const bool logits : {false, true}) {
      const ValueId id = logits ? compiled().logits[o] : program.graph().outputs()[o];
      for (size_t i = 0; id != kNoValue && i < inputs.size(); ++i) {
        if (OwnerOf(id) == inputs[i].value) input_results.push_back({o, logits, i});
      }
    }
  }
  const auto ins = static_cast<size_t>(argument);
  slots.resize(std::clamp<size_t>(kMaxBoundViews / (ins + outs + 1), 1, kMaxSlots));
  for (BoundShapes& slot : slots) {  // now, so that a new size costs no allocation later
    slot.inputs.reserve(inputs.size());
    slot.in_views.reserve(ins);
    slot.out_views.reserve(outs);
    slot.steps.reserve(program.steps().size());
    slot.outputs.reserve(program.graph().outputs().size());
    slot.logits.reserve(program.graph().outputs().size());
  }
}

bool Session::Impl::IsBound(const BoundShapes& shapes, absl::Span<const TensorView> inputs) const {
  if (shapes.arena != arena_number || inputs.size() != shapes.inputs.size()) return false;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].dtype() != shapes.inputs[i].dtype ||
        inputs[i].shape() != shapes.inputs[i].shape ||
        (inputs[i].data() == nullptr && !inputs[i].present())) {
      return false;
    }
  }
  return true;
}

/// Neighbouring batch sizes have slots of their own.
BoundShapes& Session::Impl::SlotOf(absl::Span<const TensorView> inputs) {
  uint64_t key = 0;
  for (const TensorView& input : inputs) {
    for (const int64_t size : input.shape().dims()) key = key * 31 + static_cast<uint64_t>(size);
  }
  return slots[key % slots.size()];
}

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
  lifetimes.reserve(lifetimes.size() + program.steps().size());
  for (int s = 0; s < end; ++s) {
    const Step& step = program.steps()[static_cast<size_t>(s)];
    for (const ValueId id : step.outputs) {
      if (OwnerOf(id) == id) {
        lifetimes[static_cast<size_t>(id)] = {s, s, BytesOf(types[static_cast<size_t>(id)])};
      } else {
        lifetimes[static_cast<size_t>(OwnerOf(id))].last = s;
      }
    }
    for (const ValueId id : step.inputs) {
      if (id != kNoValue) lifetimes[static_cast<size_t>(OwnerOf(id))].last = s;
    }
  }
  const auto keep = [&](ValueId id) {
    if (id != kNoValue) lifetimes[static_cast<size_t>(OwnerOf(id))].last = end;
  };
  for (const ValueId id : graph.outputs()) keep(id);
  for (const ValueId id : compiled().logits) keep(id);
  for (const GraphInput& input : graph.inputs()) lifetimes[static_cast<size_t>(input.value)] = {};
  for (int s = 0; s < end; ++s) {  // a workspace is needed during its step alone
    lifetimes.push_back({s, s, WorkspaceBytes(program.steps()[static_cast<size_t>(s)])});
  }
  return lifetimes;
}

int64_t Session::Impl::WorkspaceBytes(const Step& step) const {
  absl::InlinedVector<TensorType, 8> in;
  for (const ValueId id : step.inputs) {
    in.push_back(id == kNoValue ? TensorType() : types[static_cast<size_t>(id)]);
  }
  return step.op->WorkspaceBytes(in);
}

absl::Status Session::Impl::PlanArena(int64_t batch) {
  MemoryPlan plan = PlanMemory(Lifetimes());
  if (plan.total_bytes > kMaxArenaBytes) {
    return absl::ResourceExhaustedError(absl::StrCat("running these shapes takes ",
                                                     plan.total_bytes, " bytes of memory; at most ",
                                                     kMaxArenaBytes, " are allowed"));
  }
  if (static_cast<size_t>(plan.total_bytes) > arena.size()) {
    ++arena_number;
    arena = AlignedBuffer();
    arena = AlignedBuffer(static_cast<size_t>(plan.total_bytes));
  }
  offsets = std::move(plan.offsets);
  capacity = batch;
  return absl::OkStatus();
}

absl::Status Session::Impl::Infer(absl::Span<const TensorView> inputs) {
  std::vector<TensorType> given;
  for (const TensorView& input : inputs) given.push_back({input.dtype(), input.shape()});
  return program.InferTypes(given, types);
}

/// Makes types, storage and views fit these inputs.
absl::Status Session::Impl::Bind(absl::Span<const TensorView> inputs, BoundShapes& shapes) {
  shapes.arena = 0;
  const AffineShapes& affine = compiled().affine;
  int64_t batch = 0;  // > 0: all inputs have this many rows, and `affine` knows the rest
  if (affine.valid()) {
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
      affine.Evaluate(id, batch, expected);
      as_expected = expected == types[static_cast<size_t>(id)];
    }
    if (as_expected) {
      Confirm(batch);
    } else {
      batch = 0;
    }
  } else {
    for (int id = 0; id < program.value_count(); ++id) {
      affine.Evaluate(id, batch, types[static_cast<size_t>(id)]);
    }
  }
  // No size shrinks as the batch grows: a plan for more rows serves fewer, too.
  if (batch == 0 || batch > capacity) {
    capacity = 0;
    SIGSERVE_RETURN_IF_ERROR(PlanArena(batch));
  }
  shapes.inputs.clear();
  for (const TensorView& input : inputs) shapes.inputs.push_back({input.dtype(), input.shape()});
  BindStorage(shapes);
  shapes.arena = arena_number;
  return absl::OkStatus();
}

TensorView Session::Impl::ViewOf(ValueId id) const {
  const auto at = static_cast<size_t>(id);
  const auto owner = static_cast<size_t>(OwnerOf(id));
  const Graph& graph = program.graph();
  const void* data = static_cast<const std::byte*>(arena.data()) + offsets[owner];
  if (owner < graph.values().size() && graph.values()[owner].constant != nullptr) {
    data = graph.values()[owner].constant->data();
  }
  return {types[at].dtype, types[at].shape, data};
}

/// Views of everything but the caller's inputs.
void Session::Impl::BindStorage(BoundShapes& shapes) {
  auto* base = static_cast<std::byte*>(arena.data());
  const auto workspaces = static_cast<size_t>(program.value_count());  // where theirs start
  shapes.in_views.clear();
  shapes.out_views.clear();
  shapes.steps.clear();
  for (size_t s = 0; s < program.steps().size(); ++s) {
    const Step& step = program.steps()[s];
    const size_t in = shapes.in_views.size();
    const size_t out = shapes.out_views.size();
    for (const ValueId id : step.inputs) {
      shapes.in_views.push_back(id == kNoValue ? TensorView() : ViewOf(id));
    }
    for (const ValueId id : step.outputs) {
      const auto at = static_cast<size_t>(id);
      shapes.out_views.emplace_back(types[at].dtype, types[at].shape,
                                    base + offsets[static_cast<size_t>(OwnerOf(id))]);
    }
    if (compiled().aliases.is_noop(s)) continue;
    shapes.steps.push_back({step.op.get(),
                            {shapes.in_views.data() + in, step.inputs.size()},
                            {shapes.out_views.data() + out, step.outputs.size()},
                            Workspace(base + offsets[workspaces + s])});
  }
  shapes.outputs.clear();
  shapes.logits.clear();
  for (size_t i = 0; i < program.graph().outputs().size(); ++i) {
    const TensorView output = ViewOf(program.graph().outputs()[i]);
    const ValueId id = compiled().logits[i];
    // Shaped like the output, whatever nodes lie between.
    shapes.logits.push_back(id == kNoValue
                                ? TensorView()
                                : TensorView(output.dtype(), output.shape(), ViewOf(id).data()));
    shapes.outputs.push_back(output);
  }
}

void Session::Impl::BindInputs(absl::Span<const TensorView> inputs, BoundShapes& shapes) {
  const auto bind = [&](size_t input, const void* data) {
    for (const InputUse& use : input_uses) {
      if (use.input != static_cast<int>(input)) continue;
      shapes.in_views[static_cast<size_t>(use.argument)].set_data(data);
    }
    for (const InputResult& result : input_results) {
      if (result.input != input) continue;
      (result.logits ? shapes.logits : shapes.outputs)[result.output].set_data(data);
    }
  };
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorView& input = inputs[i];
    if (IsAligned(input)) {
      bind(i, input.data());
      continue;
    }
    const size_t bytes = static_cast<size_t>(input.elements()) * SizeOf(input.dtype());
    if (staging[i].size() < bytes) staging[i] = AlignedBuffer(bytes);
    if (bytes > 0) std::memcpy(staging[i].data(), input.data(), bytes);
    bind(i, staging[i].data());
  }
}

Session::Session(std::shared_ptr<const Executable> executable)
    : impl_(std::make_unique<Impl>(std::move(executable))) {}
Session::~Session() = default;

absl::Status Session::Run(absl::Span<const TensorView> inputs) {
  Impl& impl = *impl_;
  try {
    if (impl.current == nullptr || !impl.IsBound(*impl.current, inputs)) {
      SIGSERVE_RETURN_IF_ERROR(impl.CheckInputs(inputs));
      BoundShapes& slot = impl.SlotOf(inputs);
      if (!impl.IsBound(slot, inputs)) {
        SIGSERVE_RETURN_IF_ERROR(impl.Bind(inputs, slot));
      }
      impl.current = &slot;
    }
    impl.BindInputs(inputs, *impl.current);
  } catch (const std::bad_alloc&) {
    impl.current = nullptr;
    impl.capacity = 0;
    return absl::ResourceExhaustedError("no memory left to run these shapes");
  }
  for (const BoundShapes::BoundStep& step : impl.current->steps) {
    step.op->Forward(step.in, step.out, step.workspace);
  }
  return absl::OkStatus();
}

TensorView Session::output(int i) const { return impl_->current->outputs[static_cast<size_t>(i)]; }

TensorView Session::logits(int i) const { return impl_->current->logits[static_cast<size_t>(i)]; }

size_t Session::memory_bytes() const {
  size_t bytes = impl_->arena.size();
  for (const AlignedBuffer& buffer : impl_->staging) bytes += buffer.size();
  return bytes;
}

}  // namespace sigserve
