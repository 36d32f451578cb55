package io.github.bahagh.nimbus

/** That of this library; CHANGELOG.md says what changed. Requests carry it in their User-Agent. */
public const val VERSION: String = "0.4.0"

internal const val USER_AGENT: String = "nimbus-kotlin/$VERSION"
