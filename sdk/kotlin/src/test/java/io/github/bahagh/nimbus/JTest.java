package io.github.bahagh.nimbus;
import org.junit.jupiter.api.Test;
class JTest { @Test void x() { if (new X().x() != 1) throw new IllegalStateException(); } }
