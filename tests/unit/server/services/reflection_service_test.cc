#include "server/services/reflection_service.h"

#include <google/protobuf/descriptor.pb.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;
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
  EXPECT_THAT(names, ElementsAre("grpc.reflection.v1.ServerReflection",
                                 "grpc.reflection.v1alpha.ServerReflection",
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

TEST_F(ReflectionServiceTest, V1AlphaIsTheSameOnTheWire) {
  std::vector<std::string> paths;
  for (const ServiceMethod& method : reflection_.Methods()) {
    paths.push_back(method.method.path);
    grpc::reflection::v1alpha::ServerReflectionRequest request;
    request.set_host("me");
    request.set_file_by_filename("sigserve/v1/tensor.proto");
    const std::string bytes = request.SerializeAsString();
    const absl::string_view piece = bytes;
    std::string reply;
    ASSERT_OK(std::get<FunctionHandler>(method.handler).answer({&piece, 1}, &reply));
    grpc::reflection::v1alpha::ServerReflectionResponse response;
    ASSERT_TRUE(response.ParseFromString(reply));
    EXPECT_EQ(response.original_request().SerializeAsString(), bytes);
    EXPECT_EQ(response.file_descriptor_response().file_descriptor_proto_size(), 1);
    EXPECT_EQ(response.GetReflection()->GetUnknownFields(response).field_count(), 0);
  }
  EXPECT_THAT(paths, ElementsAre("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                                 "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"));
}

TEST_F(ReflectionServiceTest, EachVersionDescribesItself) {
  for (const char* version : {"v1", "v1alpha"}) {
    ServerReflectionRequest request;
    request.set_file_containing_symbol(
        absl::StrCat("grpc.reflection.", version, ".ServerReflection"));
    EXPECT_THAT(Files(Answer(request)),
                ElementsAre(absl::StrCat("grpc/reflection/", version, "/reflection.proto")));
  }
}

// Errors.

TEST_F(ReflectionServiceTest, WhatDoesNotExistIsAnErrorInTheResponse) {
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
