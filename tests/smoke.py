"""The smoke suite, `pytest -m smoke`: a minute on two cores that enters every room once.

Of each test named here it takes the first case, or the first one with the words that follow in its name.
"""

SMOKE = {
    # How a model is built, trained, measured and asked, and by which data.
    "test_models.py": ["add_and_pop", "subclasses_train", "set_weights_is_all_or_nothing"],
    "test_graph.py": ["a_config_makes_the_same_model", "keras_configs_are_read", "a_shared_layer_trains_both_ways"],
    "test_training.py": ["ten_steps Adam", "mixed_bfloat16", "a_step_of_ones_own"],
    "test_objective.py": ["class_weight_by_output", "the_last_smaller_batch_counts_by_its_rows"],
    "test_feed.py": ["generators", "streams PyDataset", "validation_split_takes_the_last_rows"],
    "test_predict.py": ["each_batch_of_predict_updates_the_state", "validation_leaves_training_as_it_was"],
    "test_examples.py": ["dense_called_as_a_layer_and_over_every_step"],
    "test_callbacks.py": ["early_stopping_stops_where_keras_stops", "csv_has_a_row_an_epoch_and_goes_on"],
    "test_progress.py": ["the_output_of_a_real_pipe"],
    "test_summary.py": ["nested_models_unfold"],
    "test_profile.py": ["a_row_a_layer", "lstm_counts_every_step"],
    "test_estimate.py": ["sizes"],
    "test_threads.py": ["who_reads_while_another_thread_fits"],
    "test_runtime_process.py": ["import_changes_nothing_and_the_first_weight_no_setting_of_jax"],
    "test_runtime_cache.py": ["the_next_process_finds_all_and_others_programs_are_not_kept"],
    # What they are made of.
    "test_specs.py": [
        "numbers_gradients_and_masks_are_those_of_keras Dense(",
        "numbers_gradients_and_masks_are_those_of_keras Conv2D(",
        "numbers_gradients_and_masks_are_those_of_keras BatchNormalization(",
        "numbers_gradients_and_masks_are_those_of_keras MultiHeadAttention(",
        "config_makes_the_same_layer Embedding(",
        "symbolic_shapes_are_the_real_ones Conv2D(",
        "compiled_is_eager MaxPooling1D(",
    ],
    "test_recurrent.py": ["outputs_and_gradients LSTM", "masks_travel"],
    "test_wrappers.py": ["bidirectional"],
    "test_symbolic.py": ["jax_arrays_on_the_left_give_way", "functions_of_jax_say_which_to_take_instead"],
    "test_ops.py": ["same_as_keras conv-2-same", "same_as_keras cumsum", "loops_in_a_graph"],
    "test_activations.py": ["values_and_gradients_are_those_of_keras gelu"],
    "test_initializers.py": ["the_distribution_is_that_of_keras", "configs_round_trip_and_are_those_of_keras"],
    "test_regularizers.py": ["values_and_gradients_are_those_of_keras"],
    "test_losses.py": ["values_are_those_of_keras MeanSquared", "gradients_are_those_of_keras_under_jit_too"],
    "test_metrics.py": ["metric_equals_keras AUC", "metric_is_pure_under_jit"],
    "test_optimizers.py": ["ten_steps_equal_keras Adam", "configs_round_trip_in_keras_words"],
    "test_schedules.py": ["schedule_equals_keras"],
    "test_utils.py": ["pad_sequences", "timeseries"],
    # Under the name keras.
    "test_dropin.py": ["in_a_program check_ways_to_import"],
    "test_cli.py": ["it_ends_as_under_python error"],
    # Data that is loaded.
    "test_get_file.py": ["a_cut_connection_is_taken_up", "tars_that_want_out"],
    "test_datasets.py": ["as_keras_loads_it imdb", "nothing_is_run"],
    "test_images.py": ["saved_and_loaded"],
    "test_from_directory.py": ["fit", "parts_have_the_files_that_keras_gives_them"],
    # Layers and networks that most programs do without.
    "test_preprocessing.py": [
        "in_training_from_arrays_batches_and_data_sets",
        "long_vectors_are_made_behind_the_host_part",
    ],
    "test_layers_image.py": [
        "what_keras_has_drawn_changes_images_and_masks_as_in_keras RandomZoom",
        "masks_keep_their_dtype_and_their_classes",
    ],
    "test_ops_more.py": ["rearrange", "the_namespaces_hold_the_same_functions"],
    "test_layers_more.py": ["spectral_normalization", "rms_scaling"],
    "test_applications.py": ["layers_connections_weights_and_settings_are_those_of_keras MobileNet"],
    "test_multi_optimizer.py": ["plain_patterns_of_a_config_are_taken"],
    "test_scopes.py": ["remat_of_a_function_within_a_layer"],
    "test_visualization.py": ["masks_are_those_of_keras", "a_gallery_in_a_file"],
    "test_pictures.py": ["an_open_model_holds_what_is_within_and_nothing_else"],
    "test_pictures_files.py": ["the_ending_says_what_is_written png"],
    "test_plots.py": ["the_history_that_fit_returns_draws_itself"],
    "test_keras_members.py": ["state_trees_are_those_of_keras"],
    # The kernels, on the best library that is there.
    "test_kernels.py": ["dense"],
    "test_kernels_conv.py": ["sizes_of_networks"],
    "test_kernels_dense.py": ["product_of_any_size"],
    "test_kernels_recurrent.py": ["recurrence lstm"],
    "test_kernels_pooling.py": ["all_of_space"],
    "test_kernels_update.py": ["formula"],
    "test_kernels_winograd.py": ["errors_are_small"],
    "test_kernels_training.py": ["ten_steps perceptron"],
    "test_libraries.py": ["the_processor_here_is_asked", "a_lesser_instruction_set_can_be_chosen"],
    # Files.
    "test_keras_file.py": ["a_loaded_model_goes_on_to_the_same_bits"],
    "test_weights.py": ["weights_come_back .weights.h5"],
    "test_old_keras.py": ["a_model_of_keras_2_computes_the_same"],
    "test_hostile.py": ["a_hostile_config_in_a_file lambda", "hostile_hdf5", "hostile_archives"],
    "test_checkpoints.py": ["it_begins_where_it_stood"],
    "test_onnx.py": ["ops_give_the_same"],
    # What is refused, and what survives.
    "test_faults.py": ["label_out_of_range", "a_callback_raises", "a_wrong_shape_in_the_midst_of_a_stream"],
    "test_faults_nan.py": ["nan_stops_at_the_step_and_keeps_the_last_good_weights"],
    "test_faults_signals.py": ["a_signal_in_fit"],
    "test_ownership.py": ["arrays_given_to_set_weights_stay_the_users"],
    "test_layers_errors.py": ["shapes_that_do_not_fit_are_named_before_anything_runs"],
    "test_wishes.py": ["an_old_word_is_answered_with_the_new_one", "import_is_light"],
    "README.md": ["README.md"],
}


def smoke(items):
    """Of the collected tests, those of the smoke suite.

    Raises:
        LookupError: Where a file has no test of a name that is given above.
    """
    files = {}
    for item in items:
        files.setdefault(item.path.name, []).append(item)
    found = []
    for file in SMOKE.keys() & files:
        for name, _, words in (name.partition(" ") for name in SMOKE[file]):
            cases = [item for item in files[file] if item.name.partition("[")[0] in (name, f"test_{name}")]
            case = next((item for item in cases if words in item.name), None)
            if case is None:
                raise LookupError(f"tests/smoke.py names {name!r} {words} of {file}, which is not there.")
            found.append(case)
    return found
