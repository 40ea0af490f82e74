#include "server/services/reflection_service.h"

#include <google/protobuf/descriptor.pb.h>

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;
using testing::ElementsAre;

class ReflectionServiceTest : public testing::Test {
 protected:
  ServerReflectionResponse Answer(const ServerReflectionRequest& request) {
    ServerReflectionResponse response;
    EXPECT_OK(reflection_.Answer(request, &response));
    EXPECT_EQ(response.original_request().SerializeAsString(), request.SerializeAsString());
    return response;
  }
  static std::vector<std::string> Files(const ServerReflectionResponse& response) {
    std::vector<std::string> names;
    for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
      google::protobuf::FileDescriptorProto file;
      EXPECT_TRUE(file.ParseFromString(bytes));
      names.push_back(file.name());
    }
    return names;
  }

  ReflectionService reflection_{std::vector<ServiceMethod>{
      {.method = {.path = "/sigserve.v1.PredictionService/Predict"}},
      {.method = {.path = "/sigserve.v1.PredictionService/PredictStream"}},
      {.method = {.path = "/sigserve.v1.ModelService/GetModel"}}}};
};

TEST_F(ReflectionServiceTest, ListsEachServiceOnceAndItself) {
  ServerReflectionRequest request;
  request.set_list_services("*");
  request.set_host("me");
  const ServerReflectionResponse response = Answer(request);
  std::vector<std::string> names;
  for (const auto& service : response.list_services_response().service()) {
    names.push_back(service.name());
  }
  EXPECT_THAT(names, ElementsAre("grpc.reflection.v1alpha.ServerReflection",
                                 "sigserve.v1.ModelService", "sigserve.v1.PredictionService"));
  EXPECT_EQ(response.valid_host(), "me");
}

TEST_F(ReflectionServiceTest, SymbolsAndFilesComeWithWhatTheyImport) {
  ServerReflectionRequest request;
  request.set_file_containing_symbol("sigserve.v1.PredictionService");
  EXPECT_THAT(Files(Answer(request)),
              ElementsAre("sigserve/v1/prediction.proto", "sigserve/v1/tensor.proto"));
  request.set_file_containing_symbol("sigserve.v1.PredictRequest.model");
  EXPECT_THAT(Files(Answer(request)),
              ElementsAre("sigserve/v1/prediction.proto", "sigserve/v1/tensor.proto"));
  request.set_file_by_filename("sigserve/v1/tensor.proto");
  EXPECT_THAT(Files(Answer(request)), ElementsAre("sigserve/v1/tensor.proto"));
}

TEST_F(ReflectionServiceTest, Extensions) {
  ServerReflectionRequest request;
  request.set_all_extension_numbers_of_type("sigserve.v1.Tensor");
  const ServerReflectionResponse response = Answer(request);
  EXPECT_EQ(response.all_extension_numbers_response().base_type_name(), "sigserve.v1.Tensor");
  EXPECT_EQ(response.all_extension_numbers_response().extension_number_size(), 0);
}

TEST_F(ReflectionServiceTest, WhatThereIsNot) {
  ServerReflectionRequest nothing;
  EXPECT_EQ(Answer(nothing).error_response().error_code(),
            static_cast<int>(absl::StatusCode::kInvalidArgument));
  ServerReflectionRequest file;
  file.set_file_by_filename("no.proto");
  ServerReflectionRequest symbol;
  symbol.set_file_containing_symbol("no.Symbol");
  ServerReflectionRequest extension;
  extension.mutable_file_containing_extension()->set_containing_type("sigserve.v1.Tensor");
  extension.mutable_file_containing_extension()->set_extension_number(7);
  ServerReflectionRequest numbers;
  numbers.set_all_extension_numbers_of_type("no.Message");
  for (const auto& request : {file, symbol, extension, numbers}) {
    const ServerReflectionResponse response = Answer(request);
    EXPECT_EQ(response.error_response().error_code(), static_cast<int>(absl::StatusCode::kNotFound))
        << request.ShortDebugString();
    EXPECT_NE(response.error_response().error_message(), "");
  }
}

}  // namespace
}  // namespace sigserve
