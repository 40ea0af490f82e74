#include "model/graph/passes/optimize.h"

#include "model/base/status_macros.h"
#include "model/graph/passes/fold_batch_norm.h"
#include "model/graph/passes/fold_constants.h"
#include "model/graph/passes/fuse_activation.h"
#include "model/graph/passes/fuse_bias.h"
#include "model/graph/passes/fuse_gelu.h"
#include "model/graph/passes/fuse_pool.h"
#include "model/graph/passes/remove_dead_nodes.h"
#include "model/graph/passes/remove_identities.h"
#include "model/graph/passes/stable_log_sigmoid.h"

namespace sigserve {

absl::StatusOr<Graph> Optimize(const Graph& graph) {
  SIGSERVE_ASSIGN_OR_RETURN(Graph current, FoldConstants(graph));
  SIGSERVE_ASSIGN_OR_RETURN(current, RemoveIdentities(current));
  SIGSERVE_ASSIGN_OR_RETURN(current, StableLogSigmoid(current));
  SIGSERVE_ASSIGN_OR_RETURN(current, FuseGelu(current));
  SIGSERVE_ASSIGN_OR_RETURN(current, RemoveDeadNodes(current));
  SIGSERVE_ASSIGN_OR_RETURN(current, FuseBias(current));
  SIGSERVE_ASSIGN_OR_RETURN(current, FoldBatchNorm(current));
  SIGSERVE_ASSIGN_OR_RETURN(current, FuseActivation(current));
  SIGSERVE_ASSIGN_OR_RETURN(current, FusePool(current));
  return current;
}

}  // namespace sigserve
