// Links the installed client and calls a server that is not there.
#include <iostream>

#include "client/client.h"

int main() {
  using sigserve::client::Client;
  const auto client = Client::Create("127.0.0.1:1", {.max_attempts = 1});
  if (!client.ok()) return 1;
  const auto models = (*client)->ListModels();
  std::cout << models.status() << "\n";
  return sigserve::client::IsUnreachable(models.status()) ? 0 : 1;
}
