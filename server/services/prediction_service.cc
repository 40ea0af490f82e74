#include "server/services/prediction_service.h"

#include "server/codec/status.h"
#include "server/services/call_context.h"
#include "server/services/message_stream.h"

namespace sigserve {

grpc::ServerUnaryReactor* PredictionServiceImpl::Predict(grpc::CallbackServerContext* context,
                                                         const v1::PredictRequest* request,
                                                         v1::PredictResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  handler_->Predict(*request, CallContextOf(context, "Predict"), response,
                    [reactor](const absl::Status& status) { reactor->Finish(ToGrpc(status)); });
  return reactor;
}

grpc::ServerBidiReactor<v1::PredictStreamRequest, v1::PredictStreamResponse>*
PredictionServiceImpl::PredictStream(grpc::CallbackServerContext* context) {
  return new MessageStream<v1::PredictStreamRequest, v1::PredictStreamResponse>(
      AnswerOrder::kAsReady,
      [this, context](const v1::PredictStreamRequest& request, v1::PredictStreamResponse* response,
                      const std::function<void()>& done) {
        response->set_id(request.id());
        handler_->Predict(request.request(), CallContextOf(context, "PredictStream"),
                          response->mutable_response(), [response, done](const absl::Status& s) {
                            if (!s.ok()) {
                              response->mutable_error()->set_code(static_cast<int>(s.code()));
                              response->mutable_error()->set_message(WireMessage(s));
                            }
                            done();
                          });
      });
}

}  // namespace sigserve
