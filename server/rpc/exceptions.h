// Exceptions from handlers as statuses: one call must not end the process.
#pragma once

#include <exception>
#include <new>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace sigserve {

/// Returns what `function` returns; RESOURCE_EXHAUSTED if memory runs out, INTERNAL for any other
/// std::exception. `path` names the method in the message. No cost unless it throws.
template <typename Function>
absl::Status CatchExceptions(absl::string_view path, Function&& function) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("not enough memory for the call");
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat(path, ": ", error.what()));
  }
}

}  // namespace sigserve
