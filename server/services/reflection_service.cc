#include "server/services/reflection_service.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "model/base/status_macros.h"
#include "server/rpc/dispatcher.h"
#include "server/rpc/status.h"

namespace sigserve {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1::ExtensionNumberResponse;
using grpc::reflection::v1::FileDescriptorResponse;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

// The messages of both are the same on the wire: one implementation serves both.
constexpr const char* kPaths[] = {
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
};

/// Adds the file, then what it imports: clients take the first for the answer.
void AddFile(const FileDescriptor* file, std::set<const FileDescriptor*>* added,
             FileDescriptorResponse* to) {
  if (!added->insert(file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file->CopyTo(&proto);
  proto.SerializeToString(to->add_file_descriptor_proto());
  for (int i = 0; i < file->dependency_count(); ++i) AddFile(file->dependency(i), added, to);
}

absl::Status AnswerWithFile(const FileDescriptor* file, absl::string_view what,
                            const std::string& name, ServerReflectionResponse* response) {
  if (file == nullptr) return absl::NotFoundError(absl::StrCat("no ", what, " ", Quote(name)));
  std::set<const FileDescriptor*> added;
  AddFile(file, &added, response->mutable_file_descriptor_response());
  return absl::OkStatus();
}

absl::Status AnswerWithExtension(const std::string& type, int number,
                                 ServerReflectionResponse* response) {
  const DescriptorPool* pool = DescriptorPool::generated_pool();
  const Descriptor* message = pool->FindMessageTypeByName(type);
  const FieldDescriptor* extension =
      message == nullptr ? nullptr : pool->FindExtensionByNumber(message, number);
  return AnswerWithFile(extension == nullptr ? nullptr : extension->file(), "extension of",
                        absl::StrCat(type, " ", number), response);
}

absl::Status AnswerWithNumbers(const std::string& type, ExtensionNumberResponse* response) {
  const DescriptorPool* pool = DescriptorPool::generated_pool();
  const Descriptor* message = pool->FindMessageTypeByName(type);
  if (message == nullptr) return absl::NotFoundError(absl::StrCat("no message ", Quote(type)));
  response->set_base_type_name(type);
  std::vector<const FieldDescriptor*> extensions;
  pool->FindAllExtensions(message, &extensions);
  for (const FieldDescriptor* extension : extensions) {
    response->add_extension_number(extension->number());
  }
  return absl::OkStatus();
}

}  // namespace

ReflectionService::ReflectionService(const std::vector<ServiceMethod>& methods) {
  // Links v1alpha's descriptors, so that it can describe itself.
  google::protobuf::LinkMessageReflection<grpc::reflection::v1alpha::ServerReflectionRequest>();
  for (const char* path : kPaths) services_.emplace(ServiceOfPath(path));
  for (const ServiceMethod& method : methods) {
    services_.emplace(ServiceOfPath(method.method.path));
  }
}

std::vector<ServiceMethod> ReflectionService::Methods() {
  std::vector<ServiceMethod> methods;
  for (const char* path : kPaths) {
    ServiceMethod method = FunctionMethod(path, this, &ReflectionService::Answer);
    method.method.kind = MethodKind::kMessageStream;
    method.method.ordered = true;
    methods.push_back(std::move(method));
  }
  return methods;
}

absl::Status ReflectionService::Answer(const ServerReflectionRequest& request,
                                       ServerReflectionResponse* response) {
  const absl::Status status = Find(request, response);
  response->set_valid_host(request.host());
  *response->mutable_original_request() = request;
  if (!status.ok()) {
    response->mutable_error_response()->set_error_code(static_cast<int>(status.code()));
    response->mutable_error_response()->set_error_message(WireMessage(status));
  }
  return absl::OkStatus();
}

absl::Status ReflectionService::Find(const ServerReflectionRequest& request,
                                     ServerReflectionResponse* response) const {
  const DescriptorPool* pool = DescriptorPool::generated_pool();
  switch (request.message_request_case()) {
    case ServerReflectionRequest::kFileByFilename:
      return AnswerWithFile(pool->FindFileByName(request.file_by_filename()), "file",
                            request.file_by_filename(), response);
    case ServerReflectionRequest::kFileContainingSymbol:
      return AnswerWithFile(pool->FindFileContainingSymbol(request.file_containing_symbol()),
                            "symbol", request.file_containing_symbol(), response);
    case ServerReflectionRequest::kFileContainingExtension:
      return AnswerWithExtension(request.file_containing_extension().containing_type(),
                                 request.file_containing_extension().extension_number(), response);
    case ServerReflectionRequest::kAllExtensionNumbersOfType:
      return AnswerWithNumbers(request.all_extension_numbers_of_type(),
                               response->mutable_all_extension_numbers_response());
    case ServerReflectionRequest::kListServices:
      for (const std::string& service : services_) {
        response->mutable_list_services_response()->add_service()->set_name(service);
      }
      return absl::OkStatus();
    case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError(
      "the request names neither a file, a symbol, an extension nor a list");
}

}  // namespace sigserve
