#include "model/runtime/aliases.h"

#include <algorithm>

namespace sigserve {

Aliases::Aliases(const Program& program, absl::Span<const ValueId> kept) {
  const Graph& graph = program.graph();
  const absl::Span<const Step> steps = program.steps();
  owners_.resize(static_cast<size_t>(program.value_count()));
  noops_.resize(steps.size(), false);
  // By value; for owners over all that share with them so far. Whoever joins later reads the memory
  // later, too.
  std::vector<size_t> last_use(owners_.size(), 0);
  std::vector<bool> writable(owners_.size(), false);
  for (size_t id = 0; id < owners_.size(); ++id) owners_[id] = static_cast<ValueId>(id);
  for (size_t s = 0; s < steps.size(); ++s) {
    for (const ValueId id : steps[s].inputs) {
      if (id != kNoValue) last_use[static_cast<size_t>(id)] = s;
    }
    for (const ValueId id : steps[s].outputs) writable[static_cast<size_t>(id)] = true;
  }
  for (const ValueId id : kept) {
    if (id != kNoValue) last_use[static_cast<size_t>(id)] = steps.size();
  }
  for (const GraphInput& input : graph.inputs()) writable[static_cast<size_t>(input.value)] = false;

  for (size_t s = 0; s < steps.size(); ++s) {
    const Step& step = steps[s];
    const MemoryUse use = step.op->memory_use();
    if (use == MemoryUse::kSeparate || step.outputs.size() != 1) continue;
    const ValueId from = owner(step.inputs[0]);
    const auto at = static_cast<size_t>(from);
    if (use == MemoryUse::kInPlace) {
      const auto readers = std::count_if(step.inputs.begin(), step.inputs.end(), [&](ValueId id) {
        return id != kNoValue && owner(id) == from;
      });
      if (!writable[at] || last_use[at] > s || readers != 1) continue;
    }
    const ValueId to = step.outputs[0];
    owners_[static_cast<size_t>(to)] = from;
    last_use[at] = std::max(last_use[at], last_use[static_cast<size_t>(to)]);
    noops_[s] = use == MemoryUse::kSame;
  }
}

}  // namespace sigserve
