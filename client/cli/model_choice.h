// MODEL [--version N | --label NAME], the same at every verb that takes it.
#pragma once

#include <cstdint>
#include <string>

#include "client/types.h"

namespace CLI {
class App;
}

namespace sigserve::cli {

struct ModelChoice {
  std::string name;
  int64_t version = 0;  // 0 = not given; versions count from 1
  std::string label;

  client::ModelRef ToRef() const;
};

void AddModelChoice(CLI::App* verb, ModelChoice* choice);

}  // namespace sigserve::cli
