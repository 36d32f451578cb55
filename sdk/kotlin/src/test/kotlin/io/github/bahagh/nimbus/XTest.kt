package io.github.bahagh.nimbus
import org.junit.jupiter.api.Test
class XTest { @Test fun x() { check(X().x() == 1) } }
