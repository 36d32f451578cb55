package io.github.bahagh.nimbus

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.DataInputStream
import java.io.File

class ReadmeTest {
    private val readme = File("README.md").readText()

    private fun blocks(language: String) = Regex("```$language\n(.*?)```", RegexOption.DOT_MATCHES_ALL).findAll(readme).map { it.groupValues[1].trim() }.toList()

    /** Text without what indents it, so that a part of a function is found. */
    private fun flat(text: String) = text.lines().map { it.trim() }.filter { it.isNotEmpty() }.joinToString("\n")

    @Test
    fun `what the README shows is compiled`() {
        val sources = listOf("src/test/kotlin/readme/Main.kt", "src/test/kotlin/readme/Snippets.kt", "src/test/java/io/github/bahagh/nimbus/JavaTest.java")
        val compiled = sources.joinToString("\n") { flat(File(it).readText()) }
        val shown = blocks("kotlin").filterNot { "repositories" in it } + blocks("java")
        assertTrue(shown.size >= 6)
        shown.forEach { assertTrue(flat(it) in compiled, "This is compiled nowhere:\n$it") }
    }

    /** The first thing a newcomer pastes must work as it stands. */
    @Test
    fun `the first program runs`() = scripted {
        val run = ProcessBuilder(File(System.getProperty("java.home"), "bin/java").path, "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"), "readme.MainKt")
            .redirectErrorStream(true)
        run.environment() += mapOf("NIMBUS_URL" to url, "NIMBUS_PROJECT_ID" to PROJECT, "NIMBUS_KEY_ID" to "nk_test", "NIMBUS_SECRET" to "ns_test")
        assertEquals("events stored: 1\n", run.start().inputStream.bufferedReader().readText())
        val event = report().requests.single().events.single()
        assertEquals(listOf("signed_up", "user_123", mapOf("plan" to "pro")), listOf(event.name, event.userId, event.props))
    }

    /** The table of options is that of the source, comment by comment. */
    @Test
    fun `the README lists the options`() {
        val fields = Regex("/\\*\\* (.*?); (.*?) \\*/\n    public var (\\w+):").findAll(File("src/main/kotlin/io/github/bahagh/nimbus/Config.kt").readText())
        val want = fields.joinToString("\n") { (_, does, zero, name) -> "| `$name` | $does | $zero |" }
        val got = readme.substringAfter("| option | what it sets | when it is not set |\n|---|---|---|\n").substringBefore("\n\n")
        assertTrue(want.isNotEmpty() && want == got, "The table is not that of Config.kt, which is\n$want")
    }

    private operator fun MatchResult.component1() = value
    private operator fun MatchResult.component2() = groupValues[1]
    private operator fun MatchResult.component3() = groupValues[2]
    private operator fun MatchResult.component4() = groupValues[3]

    @Test
    fun `the changelog, the pom and the README have one version`() {
        assertEquals(VERSION, Regex("\n## (.*)\n").find(File("CHANGELOG.md").readText())?.groupValues?.get(1))
        assertTrue("<artifactId>nimbus-analytics</artifactId>\n  <version>$VERSION</version>" in File("pom.xml").readText())
        assertTrue("io.github.bahagh:nimbus-analytics:$VERSION" in readme && "<version>$VERSION</version>" in readme)
        assertTrue("<nimbus.version>$VERSION</nimbus.version>" in File(root, "examples/kotlin-cli/pom.xml").readText())
    }
}

/** Android has only a part of Java. */
class AndroidTest {
    // Of packages that Android 8.0 (API level 26) has.
    private val there = setOf(
        "java/io", "java/lang", "java/lang/annotation", "java/lang/invoke", "java/lang/reflect", "java/math", "java/net", "java/nio", "java/nio/channels",
        "java/nio/charset", "java/nio/file", "java/security", "java/text", "java/time", "java/time/format", "java/time/temporal", "java/util", "java/util/concurrent",
        "java/util/concurrent/locks", "java/util/logging", "java/util/regex", "java/util/zip", "javax/crypto", "javax/crypto/spec",
    )

    @Test
    fun `no class needs what Android has not`() {
        val classes = File("target/classes").walk().filter { it.extension == "class" }.toList()
        assertTrue(classes.size > 100)
        for (file in classes) {
            DataInputStream(file.inputStream().buffered()).use { header ->
                assertEquals(0xCAFEBABE.toInt(), header.readInt())
                header.readUnsignedShort()
                assertEquals(52, header.readUnsignedShort(), "$file is not of Java 8")
            }
            val foreign = Regex("(javax?|sun|jdk|com/sun)(/[a-z]+)+(?=/[A-Z])").findAll(String(file.readBytes(), Charsets.ISO_8859_1)).map { it.value }.toSet() - there
            assertEquals(emptySet<String>(), foreign, "$file")
        }
    }
}
