package exchange

const protectionPrefix = "protection-"
