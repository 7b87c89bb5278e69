/* The whole C ABI of libminimax. */
#ifndef MINIMAX_MINIMAX_H
#define MINIMAX_MINIMAX_H

#include "attention.h"
#include "context.h"
#include "lightning_attention.h"
#include "linear.h"
#include "loss.h"
#include "moe.h"
#include "norm.h"
#include "optimizer.h"
#include "rope.h"
#include "sampling.h"
#include "types.h"

#endif
