// bf16 products with fp32 sums by the machine's dot-product instruction (two products a lane and step).
