// The services' methods together are those of their protos.
#include <google/protobuf/descriptor.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/base/clock.h"
#include "server/predict/prediction_frontend.h"
#include "server/services/health_service.h"
#include "server/services/inference_service.h"
#include "server/services/model_service.h"
#include "server/services/reflection_service.h"
#include "server/services/training_service.h"

namespace sigserve {
namespace {

TEST(MethodsTest, EveryMethodOfEveryServiceIsServedOnce) {
  RealClock clock;
  HealthService health;
  ModelService models(nullptr, nullptr);
  InferenceService inference(nullptr, nullptr, nullptr, {});
  TrainingService training(absl::UnimplementedError("off"), &clock, absl::Hours(1));
  std::vector<ServiceMethod> methods = PredictionFrontend::Methods();
  for (const auto& more :
       {health.Methods(), models.Methods(), inference.Methods(), training.Methods()}) {
    methods.insert(methods.end(), more.begin(), more.end());
  }
  ReflectionService reflection(methods);
  for (const ServiceMethod& method : reflection.Methods()) methods.push_back(method);
  std::multiset<std::string> served;
  for (const ServiceMethod& method : methods) served.insert(method.method.path);
  std::multiset<std::string> described;
  for (const std::string& name : reflection.services()) {
    const auto* service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    ASSERT_NE(service, nullptr) << name;
    for (int i = 0; i < service->method_count(); ++i) {
      described.insert(absl::StrCat("/", name, "/", service->method(i)->name()));
    }
  }
  EXPECT_EQ(served, described);
  EXPECT_EQ(reflection.services().size(), 7U);
}

}  // namespace
}  // namespace sigserve
