// What a servable makes of the tasks that it is handed.
#include "server/registry/servable.h"

#include <utility>
#include <vector>

#include "model/graph/graph.h"
#include "tests/support/declared_types.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

/// Records the priorities of its tasks and never answers.
class PrioritySink final : public TaskSink {
 public:
  void Add(const BatchTarget& /*target*/, Task task) override {
    priorities.push_back(task.priority);
  }
  std::vector<int> priorities;
};

/// The priorities that 0, 1, ... 4 become.
std::vector<int> Priorities(const QueuePolicy& queue) {
  GraphBuilder builder;
  const ValueId x = builder.AddInput("x", testing_support::Rows(1));
  builder.AddOutput(builder.AddNode("Sigmoid", {x}, "y"));
  const absl::StatusOr<Graph> graph = std::move(builder).Build();
  EXPECT_OK(graph);
  auto executable = Executable::Compile(*graph);
  EXPECT_OK(executable);
  ModelOptions options;
  options.queue = queue;
  const auto servable = Servable::Create("m", 1, options, *std::move(executable));
  EXPECT_OK(servable);
  PrioritySink sink;
  for (const int asked : {0, 1, 2, 3, 4}) {
    Task task;
    task.priority = asked;
    (*servable)->Submit(std::move(task), &sink);
  }
  return sink.priorities;
}

TEST(ServableSubmit, APriorityThatIsNoneIsTheDefault) {
  EXPECT_EQ(Priorities({.priority_levels = 3, .default_priority = 2}),
            (std::vector<int>{2, 1, 2, 3, 2}));
  EXPECT_EQ(Priorities({.priority_levels = 1, .default_priority = 1}),
            (std::vector<int>{1, 1, 1, 1, 1}));
}

TEST(ServableSubmit, WithoutLevelsAllAreEqual) {
  EXPECT_EQ(Priorities({}), (std::vector<int>{0, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace sigserve
