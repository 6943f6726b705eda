"""The whole system under faults: clients that write down what they did and saw, and checkers that read it."""
