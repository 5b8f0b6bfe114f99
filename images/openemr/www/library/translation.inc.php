<?php

/**
 * There is one language: a text is its own translation, without the remark in double braces that upstream drops too.
 */

declare(strict_types=1);

function xl(string $constant): string
{
    return (string)preg_replace('/\{\{.*\}\}/', '', $constant);
}

function xl_list_label(?string $constant): string
{
    return xl($constant ?? '');
}

function xl_document_category(?string $constant): string
{
    return xl($constant ?? '');
}

function xl_form_title(?string $constant): string
{
    return xl($constant ?? '');
}
